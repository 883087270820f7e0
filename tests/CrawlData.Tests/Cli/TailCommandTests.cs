namespace CrawlData.Tests.Cli;

public sealed class TailCommandTests : ToolTest
{
    [Test]
    public async Task A_crawl_is_followed_until_its_run_has_ended()
    {
        var crawl = await CreateCrawlAsync();
        var ids = (await Events.AppendAsync(crawl, EventsOf(3))).ToList();
        using var tail = Tool.Start(Database.ConnectionString, ["tail", $"{crawl}", "--after", $"{ids[0]}"]);

        // Each line is there before the next event is.
        var rows = new List<Jsonb> { await ReadAsync(tail), await ReadAsync(tail) };
        ids.Add(await Events.AppendAsync(crawl, Event(4)));
        rows.Add(await ReadAsync(tail));
        await Runs.CancelAsync(crawl);

        Assert.That(await Tool.WaitAsync(tail), Is.Zero);
        Assert.That(rows.Select(row => row.ToElement().GetProperty("id").GetInt64()), Is.EqualTo(ids.Skip(1)));
        Assert.That(await tail.StandardOutput.ReadToEndAsync() + await tail.StandardError.ReadToEndAsync(), Is.Empty);
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "There is no SIGINT to send.")]
    public async Task All_crawls_are_followed_until_it_is_interrupted_which_is_no_error()
    {
        var ids = await Events.AppendAsync([(await CreateCrawlAsync(), Event(1)), (await CreateCrawlAsync(), Event(2))]);
        using var tail = Tool.Start(Database.ConnectionString, ["tail", "--after", $"{ids[0] - 1}"]);
        var rows = new List<Jsonb> { await ReadAsync(tail), await ReadAsync(tail) };

        using var interrupt = System.Diagnostics.Process.Start("kill", ["-INT", $"{tail.Id}"]);

        Assert.That(await Tool.WaitAsync(tail), Is.Zero);
        Assert.That(rows.Select(row => row.ToElement().GetProperty("id").GetInt64()), Is.SupersetOf(ids.Take(1)));
    }

    [Test]
    public async Task An_unknown_crawl_is_an_error()
    {
        var unknown = Guid.NewGuid();

        AssertFailed(await RunAsync("tail", $"{unknown}"), 1, $"crawldata: There is no crawl {unknown}.");
    }

    private static async Task<Jsonb> ReadAsync(System.Diagnostics.Process tail) =>
        Jsonb.Parse((await tail.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20)))!);
}

namespace CrawlData.Tests.Cli;

public sealed class TailCommandTests : ToolTest
{
    [Test]
    public async Task A_crawl_is_followed_until_its_run_has_ended()
    {
        var crawl = await CreateCrawlAsync();
        var ids = (await Events.AppendAsync(crawl, EventsOf(3))).ToList();
        using var tail = Tool.Start(Database.ConnectionString, ["tail", $"{crawl}", "--after", $"{ids[0]}"]);

        // Each line is written before the next event is appended.
        var rows = new List<Jsonb> { await ReadAsync(tail), await ReadAsync(tail) };
        ids.Add(await Events.AppendAsync(crawl, Event(4)));
        rows.Add(await ReadAsync(tail));
        await Runs.CancelAsync(crawl);

        Assert.That(await Tool.WaitAsync(tail), Is.Zero);
        Assert.That(rows.Select(row => row.ToElement().GetProperty("id").GetInt64()), Is.EqualTo(ids.Skip(1)));
        Assert.That(await tail.StandardOutput.ReadToEndAsync() + await tail.StandardError.ReadToEndAsync(), Is.Empty);
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "Windows has no SIGINT.")]
    public async Task All_crawls_are_followed_until_an_interrupt_which_is_no_error()
    {
        var crawl = await CreateCrawlAsync();
        var ids = (await Events.AppendAsync([(crawl, Event(1)), (await CreateCrawlAsync(), Event(2)), (crawl, Event(3))])).ToList();
        using var tail = Tool.Start(Database.ConnectionString, ["tail", "--after", CursorAfter(ids[0])]);
        var rows = new List<Jsonb>();
        do
        {
            rows.Add(await ReadAsync(tail));
        }
        while (!rows.Select(Number).Contains(ids[2]) || Cursor(rows[^1]) is null);

        await Tool.InterruptAsync(tail);

        Assert.That(await Tool.WaitAsync(tail), Is.Zero, await tail.StandardError.ReadToEndAsync());
        Assert.That(rows.Select(Number), Is.SupersetOf(ids.Skip(1)).And.Not.Contain(ids[0]));
        Assert.That(
            rows.All(row => Cursor(row) is not { } cursor || cursor == CursorAfter(Number(row))),
            "a follower that continues after a cursor misses no event");

        static string? Cursor(Jsonb row) => row.ToElement().TryGetProperty("cursor", out var cursor) ? cursor.GetString() : null;

        static long Number(Jsonb row) => row.ToElement().GetProperty("id").GetInt64();
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "The console's stream ignores a closed pipe.")]
    public async Task A_reader_that_closes_the_pipe_ends_the_tail_without_an_error([Values] bool allCrawls)
    {
        var crawl = await CreateCrawlAsync();
        var first = await Events.AppendAsync(crawl, Event(1));
        using var tail = Tool.Start(Database.ConnectionString, allCrawls ? ["tail", "--from", "start"] : ["tail", $"{crawl}"]);
        while ((await ReadAsync(tail)).ToElement().GetProperty("id").GetInt64() != first)
        {
        }

        tail.StandardOutput.Close();
        await Events.AppendAsync(crawl, Event(2));

        Assert.That(await Tool.WaitAsync(tail), Is.Zero, await tail.StandardError.ReadToEndAsync());
    }

    [Test]
    public async Task A_crawl_continues_after_an_id_and_all_crawls_after_a_cursor()
    {
        AssertFailed(
            await RunAsync("tail", $"{Guid.NewGuid()}", "--after", CursorAfter(1)),
            2,
            $"crawldata: --after takes an event's id, not '{CursorAfter(1)}'; see crawldata tail --help.");
        AssertFailed(await RunAsync("tail", "--after", "1"), 1, "crawldata: cursor: was not returned by this listing.");
    }

    [Test]
    public async Task An_unknown_crawl_is_an_error()
    {
        var unknown = Guid.NewGuid();

        AssertFailed(await RunAsync("tail", $"{unknown}"), 1, $"crawldata: There is no crawl {unknown}.");
    }

    private static async Task<Jsonb> ReadAsync(System.Diagnostics.Process tail) =>
        Jsonb.Parse((await tail.StandardOutput.ReadLineAsync().WaitAsync(Tool.Timeout))!);
}

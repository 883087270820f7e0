using System.Net;
using System.Text.Json;
using CrawlData.Cli.Serving;
using CrawlData.Crawls;
using CrawlData.Tests;
using CrawlData.Tests.Cli;
using Microsoft.Extensions.Time.Testing;

namespace CrawlData.Dashboard.Tests.Serving;

public sealed class ServedDemoTests : DatabaseTest
{
    [Test]
    public async Task Its_link_starts_a_crawl_with_pictures_and_a_signal_ends_it()
    {
        using var process = new ToolProcess(null, ["demo", "--serve", "--port", "0", "--speed", "1000"]);
        var link = await ServeCommandTests.ReadLinkAsync(process.Process);
        using var browser = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(link, "/") };

        var page = await ServeCommandTests.GetAsync(browser, () => new HttpRequestMessage(HttpMethod.Get, link));
        var runs = await WaitForRunsAsync(browser, runs => runs.Count == 2 && runs.All(run => run.GetProperty("status").GetString() == "COMPLETED"));
        var id = runs[0].GetProperty("id").GetString();
        var screens = await ServeCommandTests.GetAsync(browser, () => new HttpRequestMessage(HttpMethod.Get, $"runs/{id}"));
        var picture = screens.Split("<img src=\"")[1].Split('"')[0];
        using var response = await browser.GetAsync(new Uri($"runs/{picture}", UriKind.Relative));
        await Tool.InterruptAsync(process.Process);

        Assert.That(page, Does.Contain("<title>Overview · CrawlData demo</title>"));
        Assert.That((response.StatusCode, response.Content.Headers.ContentType!.MediaType), Is.EqualTo((HttpStatusCode.OK, "image/png")));
        Assert.That(await Tool.WaitAsync(process.Process), Is.Zero);
    }

    [Test]
    public async Task It_takes_no_database_of_the_user()
    {
        var result = await Tool.RunAsync(Database.ConnectionString, "demo", "--serve");

        Assert.That(
            (result.ExitCode, result.Error.TrimEnd()),
            Is.EqualTo((2, "crawldata: demo --serve uses a throwaway database, so it takes no connection: crawldata serve shows a named one.")));
    }

    [Test]
    public async Task A_crawl_is_stored_at_the_pace_of_its_recording()
    {
        var time = new FakeTimeProvider();
        var replay = await DemoReplay.ReadAsync(Recording(), default);

        var running = replay.RunAsync(Runs, Events, speed: 2, time, default);
        while (!running.IsCompleted)
        {
            // A tenth of a second of the clock, for which the replay waits, and so two tenths of the recording.
            var before = await CountAsync();
            time.Advance(TimeSpan.FromMilliseconds(100));
            var elapsed = 2 * (time.GetUtcNow() - time.Start);
            Assert.That(before, Is.LessThanOrEqualTo(elapsed < TimeSpan.FromSeconds(10) ? 1 : 2));
            await Task.Yield();
        }

        await running;
        Assert.That(2 * (time.GetUtcNow() - time.Start), Is.GreaterThanOrEqualTo(TimeSpan.FromSeconds(10)));
        Assert.That(await CountAsync(), Is.EqualTo(2));
        Assert.That((await Runs.ListAsync(new CrawlRunFilter())).Items.Single().Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That(replay.Titles, Is.EqualTo(new Dictionary<string, string> { ["http://a.example/"] = "Home" }));

        async Task<long> CountAsync()
        {
            await using var command = DataSource.CreateCommand(
                "select count(*) from crawl_events join crawl_runs on crawl_runs.id = crawl_id where app_package = 'org.example.replayed'");
            return (long)(await command.ExecuteScalarAsync())!;
        }
    }

    [Test]
    public void A_picture_is_a_PNG_of_its_own_title()
    {
        var picture = DemoPictures.Draw("PostgreSQL 15.20 Documentation");

        Assert.That(picture.AsSpan(1, 3).ToArray(), Is.EqualTo("PNG"u8.ToArray()));
        Assert.That(picture, Has.Length.LessThan(4_000).And.Not.EqualTo(DemoPictures.Draw("Preface")));
        Assert.That(() => DemoPictures.Draw(""), Throws.Nothing);
        Assert.That(() => DemoPictures.Draw(new string('w', 10_000)), Throws.Nothing);
    }

    private static MemoryStream Recording() => new(System.Text.Encoding.UTF8.GetBytes(
        """
        {"table":"crawl_runs","row":{"status":"COMPLETED","app_package":"org.example.replayed","device_config":{},"max_steps":3,"goal":""}}
        {"table":"crawl_events","row":{"event_type":"step.navigated","payload":{"url":"http://a.example/","title":"Home"},"created_at":"2026-11-23T00:19:00Z"}}
        {"table":"crawl_events","row":{"event_type":"tap","payload":{},"created_at":"2026-11-23T00:19:10Z"}}
        """));

    private static async Task<IReadOnlyList<JsonElement>> WaitForRunsAsync(HttpClient browser, Func<IReadOnlyList<JsonElement>, bool> isThere)
    {
        using var limit = new CancellationTokenSource(Tool.Timeout);
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            var text = await ServeCommandTests.GetAsync(browser, () => new HttpRequestMessage(HttpMethod.Get, "api/v1/runs"));
            var runs = JsonDocument.Parse(text).RootElement.GetProperty("items").EnumerateArray().Select(row => row.GetProperty("run")).ToList();
            if (isThere(runs))
            {
                return runs;
            }
        }
    }
}

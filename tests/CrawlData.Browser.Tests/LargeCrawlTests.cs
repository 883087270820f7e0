using System.Diagnostics;
using CrawlData.Dashboard.Tests;
using CrawlData.Dashboard.Tests.Reads;
using CrawlData.Dashboard.Text;
using Microsoft.Playwright;
using Npgsql;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>A crawl of a million events in a table of ten million: what its pages read, and what they cost a browser. It takes minutes, and 3 GB.</summary>
[Explicit("It takes minutes, and 3 GB.")]
[Category("Large")]
[NonParallelizable]
public sealed class LargeCrawlTests : BrowserTest
{
    private const int Buffers = 60;

    // The look-ups for a time near the pause, where events do not come evenly.
    private const int PauseBuffers = 100;
    private const int MaxRows = 150;
    private const int MaxHeapBytes = 50 * 1024 * 1024;
    private const string Crawl = "0195a3b0-0000-7000-8000-00000000001a";
    private const long Middle = 15_000_000;
    private const string Pause = "2026-11-02T12:00:00Z";

    // Every tenth event is the large crawl's. The times have small irregularities, and a pause. The crawl has the least id, as the newest crawl of a real table
    // has the greatest: for both, the server looks up the ends of the index while it plans. On a real server the ids come from the sequence, so it is not
    // behind them. Otherwise the crawl could not be followed.
    private const string LargeRows =
        """
        insert into crawl_runs (id, status, app_package, created_at, started_at)
        select ('0195a3b0-0000-7000-8000-' || lpad(to_hex(26 + number), 12, '0'))::uuid,
            case number when 0 then 'RUNNING' else 'COMPLETED' end::crawl_status, 'org.example.large', '2026-11-01', '2026-11-01'
        from generate_series(0, 999) as number;
        set session_replication_role = replica;
        alter table crawl_events drop constraint crawl_events_pkey;
        drop index idx_crawl_events_crawl_id;
        insert into crawl_events (id, crawl_id, event_type, payload, created_at)
        select 10000000 + number,
            ('0195a3b0-0000-7000-8000-' || lpad(to_hex(26 + case number % 10 when 0 then 0 else number % 999 + 1 end), 12, '0'))::uuid,
            (array['screen', 'step', 'network'])[number / 10 % 3 + 1],
            ('{"url": "/catalogue/article-' || number || '", "title": "Article ' || number || '", "price": 19.90}')::jsonb,
            timestamp '2026-11-01' + number * interval '20 ms' + number % 1000 * 7919 % 1000 * interval '1 ms'
                + case when number > 6000000 then interval '5 hours' else interval '0' end
        from generate_series(1, 10000000) as number;
        alter table crawl_events add constraint crawl_events_pkey primary key (id);
        create index idx_crawl_events_crawl_id on crawl_events (crawl_id, id);
        select setval('crawl_events_id_seq', 20000000);
        """;

    [OneTimeSetUp]
    public async Task FillTableAsync()
    {
        foreach (var sql in new[] { LargeRows, "vacuum analyze crawl_events, crawl_runs" })
        {
            await using var command = DataSource.CreateCommand(sql);
            command.CommandTimeout = 0;
            await command.ExecuteNonQueryAsync();
        }
    }

    [Test]
    public async Task A_page_reads_at_most_60_buffers()
    {
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1 });
        await using var host = await DashboardHost.StartAsync(dataSource, options => options.MaxConnections = 1);
        var time = Show.Iso((await Events.GetAsync(Guid.Parse(Crawl), Middle))!.CreatedAt);

        // A browser loads the view over time with the page of a run.
        await host.GetPageAsync($"runs/{Crawl}?tab=time");
        foreach (var address in new[]
        {
            "runs?app=org.example.shop", "sessions", $"runs/{Crawl}", $"runs/{Crawl}?order=oldest", $"runs/{Crawl}?before={Middle}",
            $"runs/{Crawl}?after={Middle}", $"runs/{Crawl}?at={Middle}", $"runs/{Crawl}?at={time}", $"runs/{Crawl}?at={time}&order=oldest",
            $"runs/{Crawl}?at=2026-11-01T00:00:01Z", $"runs/{Crawl}?at=2026-11-03T12:00:00Z", $"runs/{Crawl}?at=2026-11-04",
            $"runs/{Crawl}/events/{Middle}", $"runs/{Crawl}?at={Pause}",
        })
        {
            var read = await ReadCost.OfAsync(host, DataSource, dataSource, address);
            var watch = Stopwatch.StartNew();
            await host.GetPageAsync(address);
            TestContext.Out.WriteLine($"{read} buffers, {watch.ElapsedMilliseconds} ms: {address}");

            Assert.That(read, Is.InRange(1, address.Contains(Pause, StringComparison.Ordinal) ? PauseBuffers : Buffers), address);
        }
    }

    [Test]
    public Task A_browser_holds_150_rows_and_50_MB() => BrowseAsync(async page =>
    {
        var session = await page.Context.NewCDPSessionAsync(page);
        await session.SendAsync("Performance.enable");
        foreach (var address in new[] { "", $"?at={Middle}", "?order=oldest", $"?before={Middle}&size=100" })
        {
            var watch = Stopwatch.StartNew();
            await page.GotoAsync($"runs/{Crawl}{address}");
            var elapsed = watch.ElapsedMilliseconds;
            // The view over time has a table of its own.
            var rows = await page.Locator(".events tbody tr").CountAsync();
            await Expect(page.GetByRole(AriaRole.Status)).ToContainTextAsync("Live");
            await session.SendAsync("HeapProfiler.collectGarbage");
            var metrics = (await session.SendAsync("Performance.getMetrics"))!.Value.GetProperty("metrics").EnumerateArray();
            var heap = metrics.Single(metric => metric.GetProperty("name").GetString() == "JSHeapUsedSize").GetProperty("value").GetDouble();
            TestContext.Out.WriteLine($"{rows} rows, {heap / 1e6:F1} MB, {elapsed} ms: {address}");

            Assert.That(rows, Is.InRange(1, MaxRows));
            Assert.That(heap, Is.LessThanOrEqualTo(MaxHeapBytes));
        }
    });
}

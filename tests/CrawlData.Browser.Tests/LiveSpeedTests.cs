using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using CrawlData.Crawls;
using CrawlData.Dashboard.Tests;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>Figures of a live page: how long an event takes from its COMMIT to the screen, and what a flood of events costs the browser. They depend on the
/// machine and its load, so a run that has not asked for them by name leaves them out. What is lost or shown twice fails.</summary>
[Explicit("It prints figures of this machine.")]
[Category("Speed")]
[NonParallelizable]
public sealed class LiveSpeedTests : BrowserTest
{
    // Each event that comes, in a frame or in a gap, the time at which each row is on the screen, and long tasks.
    private const string Watch =
        """
        const watched = window.watched = { ids: [], gaps: [], shown: [], twice: 0, tasks: [], ended: false };
        const Source = window.EventSource;
        window.EventSource = class extends Source {
            constructor(...parameters) {
                super(...parameters);
                this.addEventListener("message", (message) => watched.ids.push(...JSON.parse(message.data).map((one) => one.id)));
                this.addEventListener("gap", (message) => watched.gaps.push(JSON.parse(message.data)));
                this.addEventListener("end", () => { watched.ended = true; });
            }
        };
        new PerformanceObserver((entries) => watched.tasks.push(...entries.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
        document.addEventListener("crawldata:rows", () => {
            const now = performance.timeOrigin + performance.now();
            const ids = [...document.querySelectorAll(".events tbody tr")].map((row) => row.id.slice(1));
            watched.twice += ids.length - new Set(ids).size;
            requestAnimationFrame(() => setTimeout(() => {
                const painted = performance.timeOrigin + performance.now();
                watched.seen ??= new Set();
                for (const id of ids) {
                    if (!watched.seen.has(id)) {
                        watched.seen.add(id);
                        watched.shown.push(`${id} ${now} ${painted}`);
                    }
                }
            }));
        });
        """;

    [Test]
    public async Task An_event_takes_so_long_from_its_commit_to_the_screen([Values] bool notify)
    {
        const int Count = 2_000;
        await using var host = await StartAsync(notify);
        await BrowseAsync(
            async page =>
            {
                var run = await OpenRunAsync(page);
                var events = new CrawlEventRepository(DataSource, notify: notify);
                var committed = new ConcurrentDictionary<long, double>();
                using var each = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
                var watch = Stopwatch.StartNew();
                for (var number = 0; number < Count && await each.WaitForNextTickAsync(); number++)
                {
                    var id = await events.AppendAsync(run, Event(number));
                    committed[id] = Now();
                }

                var rate = Count / watch.Elapsed.TotalSeconds;
                await Expect(page.Locator($"#e{committed.Keys.Max()}")).ToBeVisibleAsync();
                await page.WaitForFunctionAsync("last => watched.seen?.has(last)", $"{committed.Keys.Max()}");
                var shown = (await page.EvaluateAsync<string[]>("() => watched.shown")).Select(one => one.Split(' '))
                    .ToDictionary(one => Number(one[0]), one => double.Parse(one[2], CultureInfo.InvariantCulture));
                var took = committed.Where(one => shown.ContainsKey(one.Key)).Select(one => shown[one.Key] - one.Value).Order().ToList();
                TestContext.Out.WriteLine(
                    $"{(notify ? "notified" : "polling")}, {rate:F0} events a second: from COMMIT to the screen median {took[took.Count / 2]:F0} ms, "
                        + $"p99 {took[(int)(took.Count * 0.99)]:F0} ms, most {took[^1]:F0} ms; of {Count} events {took.Count} were on the screen.");

                await AssertWholeAsync(page, run);
            },
            root: host.Client.BaseAddress);
    }

    [Test]
    public async Task A_flood_is_neither_lost_nor_shown_twice([Values] bool notify)
    {
        const int EachSecond = 5_000;
        const int Seconds = 60;
        await using var host = await StartAsync(notify);
        await BrowseAsync(
            async page =>
            {
                var run = await OpenRunAsync(page);
                var events = new CrawlEventRepository(DataSource, notify: notify);
                using var each = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
                var watch = Stopwatch.StartNew();
                for (var number = 0; number < Seconds * 10 && await each.WaitForNextTickAsync(); number++)
                {
                    await events.AppendAsync(run, EventsOf(EachSecond / 10));
                }

                var rate = Seconds * EachSecond / watch.Elapsed.TotalSeconds;
                var last = (await Events.ListNewestAsync(run, pageSize: 1)).Items[0].Id;
                await Expect(page.Locator($"#e{last}")).ToBeVisibleAsync();
                var tasks = await page.EvaluateAsync<double[]>("() => watched.tasks");
                TestContext.Out.WriteLine(
                    $"{(notify ? "notified" : "polling")}, {rate:F0} events a second for {watch.Elapsed.TotalSeconds:F0} s: "
                        + $"{tasks.Length} tasks of more than 50 ms, the longest {tasks.DefaultIfEmpty().Max():F0} ms.");

                await AssertWholeAsync(page, run);
            },
            root: host.Client.BaseAddress);
    }

    private Task<DashboardHost> StartAsync(bool notify) =>
        DashboardHost.StartAsync(DataSource, services: services => services.Configure<CrawlDataOptions>(options => options.Notify = notify));

    private async Task<Guid> OpenRunAsync(IPage page)
    {
        await page.AddInitScriptAsync(Watch);
        var run = (await InsertRunAsync(CrawlStatus.Running)).Id;
        await Events.AppendAsync(run, Event(0));
        await page.GotoAsync($"runs/{run}");
        await Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("Live");
        return run;
    }

    /// <summary>Each event came once, or is in a gap that the page was told to fetch, and no row is in the list twice.</summary>
    private async Task AssertWholeAsync(IPage page, Guid run)
    {
        (await Runs.CompleteAsync(run)).EnsureApplied();
        await page.WaitForFunctionAsync("() => watched.ended");
        var ids = (await page.EvaluateAsync<string[]>("() => watched.ids")).Select(Number).ToList();
        var gaps = await page.EvaluateAsync<Gap[]>("() => watched.gaps.map(gap => ({ after: `${gap.after}`, upTo: `${gap.up_to}` }))");
        bool IsInGap(long id) => gaps.Any(gap => id > Number(gap.After) && id <= Number(gap.UpTo));
        var stored = new List<long>();
        await using (var command = DataSource.CreateCommand($"select id from crawl_events where crawl_id = '{run}' order by id offset 1"))
        {
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                stored.Add(reader.GetInt64(0));
            }
        }

        TestContext.Out.WriteLine($"{ids.Count} events came in frames, {stored.Count(IsInGap)} were in {gaps.Length} gaps.");
        Assert.That(ids, Is.EqualTo(stored.Where(id => !IsInGap(id))));
        Assert.That(await page.EvaluateAsync<int>("() => watched.twice"), Is.Zero);
    }

    private static long Number(string id) => long.Parse(id, CultureInfo.InvariantCulture);

    private static double Now() => (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalMilliseconds;

    private sealed class Gap
    {
        public string After { get; set; } = "";

        public string UpTo { get; set; } = "";
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>From the commit of an event to its delivery to those who follow, with notifications and by polling alone.</summary>
public static class FollowLatency
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    public static async Task<IReadOnlyList<FollowRow>> RunAsync(int events)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var rows = new List<FollowRow>();
        foreach (var followers in new[] { 1, 100 })
        {
            foreach (var listen in new[] { true, false })
            {
                var way = listen ? "notified" : $"polling at {PollInterval.TotalMilliseconds:0} ms";
                var row = new FollowRow { Followers = followers, Way = way, Latency = await MeasureAsync(database, followers, listen, events) };
                var (p50, p99) = (Measured.Format(row.Latency.Quantile(0.5)), Measured.Format(row.Latency.Quantile(0.99)));
                Console.WriteLine($"{followers,3} followers, {way,-18} p50 {p50,9}, p99 {p99,9}");
                rows.Add(row);
            }
        }

        return rows;
    }

    private static async Task<Measured> MeasureAsync(ThrowawayDatabase database, int followers, bool listen, int count)
    {
        var events = new CrawlEventRepository(database.DataSource, notify: listen);
        var runs = new CrawlRunRepository(database.DataSource);
        var crawl = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var committed = new ConcurrentDictionary<long, long>();
        var delivered = new ConcurrentBag<(long Id, long At)>();
        var options = new CrawlEventFollowOptions { Listen = listen, PollInterval = listen ? TimeSpan.FromSeconds(1) : PollInterval };
        var following = Enumerable.Range(0, followers).Select(_ => Task.Run(async () =>
        {
            await foreach (var crawlEvent in events.FollowAsync(crawl, options: options))
            {
                delivered.Add((crawlEvent.Id, Stopwatch.GetTimestamp()));
            }
        })).ToList();
        await Task.Delay(500);
        foreach (var crawlEvent in DatabaseBenchmark.MakeEvents(count))
        {
            var id = await events.AppendAsync(crawl, crawlEvent);
            committed[id] = Stopwatch.GetTimestamp();
            await Task.Delay(Random.Shared.Next(5, 80));
        }

        await runs.CancelAsync(crawl);
        await Task.WhenAll(following);

        // Who is quick has it before the writer has been told.
        return new Measured
        {
            Name = "latency",
            Times = [.. delivered.Select(one => Stopwatch.GetElapsedTime(committed[one.Id], one.At)).Select(time => time < TimeSpan.Zero ? TimeSpan.Zero : time).Order()],
            Bytes = [],
        };
    }
}

/// <summary>How late those were who followed in one way.</summary>
public sealed record FollowRow
{
    public required int Followers { get; init; }

    public required string Way { get; init; }

    public required Measured Latency { get; init; }
}

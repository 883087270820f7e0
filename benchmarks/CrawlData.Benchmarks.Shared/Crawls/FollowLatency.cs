using System.Collections.Concurrent;
using System.Diagnostics;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Measures the latency from an event's commit to its delivery to followers, with notifications and with polling alone.</summary>
public static class FollowLatency
{
    private const int Rounds = 4;

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    /// <param name="scale">The number of followed events.</param>
    public static async Task<IReadOnlyList<FollowLatencyRow>> RunAsync(BenchmarkScale scale)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var rows = new List<FollowLatencyRow>();
        foreach (var listen in new[] { true, false })
        {
            // In turns, so that other load of the machine affects both alike.
            var times = new Dictionary<int, List<TimeSpan>> { [1] = [], [100] = [] };
            for (var round = 0; round < Rounds; round++)
            {
                foreach (var (followers, all) in times)
                {
                    all.AddRange(await MeasureAsync(database, followers, listen, scale.FollowedEvents / Rounds));
                }
            }

            foreach (var (followers, all) in times)
            {
                var row = new FollowLatencyRow
                {
                    Followers = followers,
                    Method = listen ? "notifications" : $"polling every {PollInterval.TotalMilliseconds:0} ms",
                    Latency = new Measurement { Name = "latency", Times = [.. all.Order()], Bytes = [] },
                };
                var (p50, p99) = (Measurement.Format(row.Latency.Quantile(0.5)), Measurement.Format(row.Latency.Quantile(0.99)));
                Console.WriteLine($"{followers,3} followers, {row.Method,-19} p50 {p50,9}, p99 {p99,9}");
                rows.Add(row);
            }
        }

        return rows;
    }

    private static async Task<IEnumerable<TimeSpan>> MeasureAsync(ThrowawayDatabase database, int followers, bool listen, int count)
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
        foreach (var crawlEvent in SampleData.MakeEvents(count))
        {
            var id = await events.AppendAsync(crawl, crawlEvent);
            committed[id] = Stopwatch.GetTimestamp();
            await Task.Delay(Random.Shared.Next(5, 80));
        }

        await runs.CancelAsync(crawl);
        await Task.WhenAll(following);
        return delivered.Select(one => LatencyOf(committed[one.Id], one.At));
    }

    // A follower may receive an event before AppendAsync returns.
    private static TimeSpan LatencyOf(long committed, long delivered) => Stopwatch.GetElapsedTime(Math.Min(committed, delivered), delivered);
}

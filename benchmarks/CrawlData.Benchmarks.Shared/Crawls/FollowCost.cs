using System.Diagnostics;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Measures what followers cost that get no event: their statements, and what an append to another crawl takes beside them.</summary>
public static class FollowCost
{
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    public static async Task<IReadOnlyList<FollowCostRow>> RunAsync(BenchmarkScale scale)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        using var counter = new StatementCounter();
        await using var counted = counter.CreateDataSource(database);
        var crawls = await MakeCrawlsAsync(database, scale.IdleFollowers.Max() + 1);
        var rows = new List<FollowCostRow>();
        foreach (var followers in scale.IdleFollowers)
        {
            foreach (var count in new[] { 0, 1, followers }.Distinct())
            {
                var row = await MeasureAsync(scale, new CrawlEventRepository(counted), counter, crawls, followers, count);
                var ratio = row.Appends is { } appends ? $", append {appends.Beside.Median / appends.Alone.Median:0.00}" : "";
                Console.WriteLine(
                    $"{followers,6} followers of {count,6} crawls: {row.StatementsPerSecond:0.0} statements a second, {row.Processor:P0} of a core{ratio}");
                rows.Add(row);
            }
        }

        return rows;
    }

    /// <summary>Counts the statements a second of idle followers, each of a crawl of its own.</summary>
    public static async Task<double> CountStatementsAsync(ThrowawayDatabase database, int followers)
    {
        using var counter = new StatementCounter();
        await using var counted = counter.CreateDataSource(database);
        var crawls = await MakeCrawlsAsync(database, followers);
        await using var idle = new IdleFollowers(new CrawlEventRepository(counted), crawls, followers);
        await idle.UntilCaughtUpAsync();
        await Task.Delay(Settling);
        return (await CountAsync(counter, TimeSpan.FromSeconds(5))).StatementsPerSecond;
    }

    private static async Task<FollowCostRow> MeasureAsync(
        BenchmarkScale scale, CrawlEventRepository events, StatementCounter counter, IReadOnlyList<Guid> crawls, int followers, int count)
    {
        var followed = count == 0 ? null : crawls.Skip(1).Take(count).ToList();
        var (alone, beside) = (new List<TimeSpan>(), new List<TimeSpan>());
        var idle = (StatementsPerSecond: 0.0, Processor: 0.0);

        // For followers of all crawls, an append is an event.
        var rounds = followers == scale.BesideFollowers && count > 0 ? scale.BesideRounds : 1;
        for (var round = 0; round < rounds; round++)
        {
            if (rounds > 1)
            {
                alone.AddRange(await AppendAsync(events, crawls[0], scale.BesideAppends));
            }

            await using var running = new IdleFollowers(events, followed, followers);
            await running.UntilCaughtUpAsync();
            await Task.Delay(Settling);
            if (round == 0)
            {
                idle = await CountAsync(counter, scale.IdleTime);
            }

            if (rounds > 1)
            {
                beside.AddRange(await AppendAsync(events, crawls[0], scale.BesideAppends));
            }
        }

        return new FollowCostRow
        {
            Followers = followers,
            Crawls = count,
            StatementsPerSecond = idle.StatementsPerSecond,
            Processor = idle.Processor,
            Appends = rounds > 1 ? (ToMeasurement("alone", alone), ToMeasurement("beside followers", beside)) : null,
        };
    }

    private static Measurement ToMeasurement(string name, IEnumerable<TimeSpan> times) => new() { Name = name, Times = [.. times.Order()], Bytes = [] };

    private static async Task<(double StatementsPerSecond, double Processor)> CountAsync(StatementCounter counter, TimeSpan time)
    {
        var (before, started) = (counter.Count, Stopwatch.GetTimestamp());
        var processor = Environment.CpuUsage.TotalTime;
        await Task.Delay(time);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return ((counter.Count - before) / seconds, (Environment.CpuUsage.TotalTime - processor).TotalSeconds / seconds);
    }

    private static async Task<IReadOnlyList<TimeSpan>> AppendAsync(CrawlEventRepository events, Guid crawl, int count)
    {
        var times = new List<TimeSpan>();
        foreach (var crawlEvent in SampleData.MakeEvents(count))
        {
            var started = Stopwatch.GetTimestamp();
            await events.AppendAsync(crawl, crawlEvent);
            times.Add(Stopwatch.GetElapsedTime(started));
        }

        return times;
    }

    private static async Task<IReadOnlyList<Guid>> MakeCrawlsAsync(ThrowawayDatabase database, int count)
    {
        var runs = await new CrawlRunRepository(database.DataSource).InsertAsync(
            Enumerable.Range(0, count).Select(_ => new NewCrawlRun { AppPackage = "org.example.app" }));
        var ids = runs.Select(run => run.Id).ToList();
        await new CrawlEventRepository(database.DataSource).AppendAsync([.. ids.Zip(SampleData.MakeEvents(count))]);
        await using var analyze = database.DataSource.CreateCommand("analyze crawl_runs, crawl_events");
        await analyze.ExecuteNonQueryAsync();
        return ids;
    }
}

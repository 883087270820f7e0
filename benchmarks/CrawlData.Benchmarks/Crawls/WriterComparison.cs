using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>The writer with 1, 8 and 32 producers, on one crawl and on a hundred: beside single committed INSERTs by as many, when each event is awaited, and
/// beside one binary COPY, when none is. In turns, and with the writer that notifies.</summary>
public static class WriterComparison
{
    private static readonly int[] Producers = [1, 8, 32];

    public static async Task RunAsync(int rounds, int awaited, int unawaited)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var dataSource = database.DataSource;
        var all = await Seed.RunsAsync(dataSource, 100);
        var events = DatabaseBenchmark.MakeEvents(unawaited);
        var eventsAwaited = events[..awaited];
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource));
        await using var notifying = new CrawlEventWriter(new CrawlEventRepository(dataSource, notify: true));
        foreach (var crawls in new[] { [all[0]], all })
        {
            foreach (var producers in Producers)
            {
                await RunAsync(rounds, awaited, new Interleaved($"{producers} producers, {crawls.Count} crawls, each event awaited")
                    .Add("single INSERTs", () => HandWritten.InsertAsync(dataSource, crawls, eventsAwaited, producers))
                    .Add("writer", () => writer.AppendAsync(crawls, eventsAwaited, producers))
                    .Add("writer that notifies", () => notifying.AppendAsync(crawls, eventsAwaited, producers)));
            }

            foreach (var producers in Producers)
            {
                await RunAsync(rounds, unawaited, new Interleaved($"{producers} producers, {crawls.Count} crawls, no event awaited")
                    .Add("one COPY", () => HandWritten.CopyAsync(dataSource, events, crawls))
                    .Add("writer", () => writer.WriteAsync(crawls, events, producers)));
            }
        }
    }

    private static async Task RunAsync(int rounds, int events, Interleaved interleaved)
    {
        var measured = await interleaved.RunAsync(rounds);
        Console.WriteLine(interleaved.Title);
        foreach (var one in measured)
        {
            Console.WriteLine(
                $"  {one.Name,-22} {events / one.Median.TotalSeconds,9:N0} events/s, {measured[0].Median / one.Median,5:0.00} of {measured[0].Name}, " +
                $"{one.MedianBytes / events,6:N0} bytes an event");
        }
    }
}

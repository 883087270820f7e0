using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>The writer with 1, 8 and 32 producers, on one crawl and on a hundred: beside single committed INSERTs by as many, when each event is awaited, and
/// beside one binary COPY, when none is. In turns, and with the writer that notifies.</summary>
public static class WriterComparison
{
    private static readonly int[] Producers = [1, 8, 32];

    public static async Task<IReadOnlyList<WriterRow>> RunAsync(int rounds, int awaited, int unawaited)
    {
        var rows = new List<WriterRow>();
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
                var measured = await new Interleaved()
                    .Add("single INSERTs", () => HandWritten.InsertAsync(dataSource, crawls, eventsAwaited, producers))
                    .Add("writer", () => writer.AppendAsync(crawls, eventsAwaited, producers))
                    .Add("writer that notifies", () => notifying.AppendAsync(crawls, eventsAwaited, producers))
                    .RunAsync(rounds);
                rows.Add(new WriterRow { Producers = producers, Crawls = crawls.Count, Awaited = true, Events = awaited, Measured = measured });
                Print(rows[^1]);
            }

            foreach (var producers in Producers)
            {
                var measured = await new Interleaved()
                    .Add("one COPY", () => HandWritten.CopyAsync(dataSource, events, crawls))
                    .Add("writer", () => writer.WriteAsync(crawls, events, producers))
                    .RunAsync(rounds);
                rows.Add(new WriterRow { Producers = producers, Crawls = crawls.Count, Awaited = false, Events = unawaited, Measured = measured });
                Print(rows[^1]);
            }
        }

        return rows;
    }

    private static void Print(WriterRow row)
    {
        Console.WriteLine(row.Title);
        foreach (var one in row.Measured)
        {
            Console.WriteLine(
                $"  {one.Name,-22} {row.EventsPerSecond(one),9:N0} events/s, {row.Measured[0].Median / one.Median,5:0.00} of {row.Measured[0].Name}, "
                + $"{one.MedianBytes / row.Events,6:N0} bytes an event");
        }
    }
}

/// <summary>Ways of appending that were measured beside each other; the first is what the writer is compared with.</summary>
public sealed record WriterRow
{
    public required int Producers { get; init; }

    public required int Crawls { get; init; }

    public required bool Awaited { get; init; }

    public required int Events { get; init; }

    public required IReadOnlyList<Measured> Measured { get; init; }

    public string Title => $"{Producers} producers, {Crawls} crawls, {(Awaited ? "each event awaited" : "no event awaited")}";

    public double EventsPerSecond(Measured measured) => Events / measured.Median.TotalSeconds;
}

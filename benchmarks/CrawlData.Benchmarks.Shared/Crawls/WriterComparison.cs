using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Measures the throughput of <see cref="CrawlEventWriter"/> with 1, 8 and 32 producers, on one crawl and on 100 crawls. Where each event is awaited,
/// the baseline is single committed INSERTs; where none is, it is one binary COPY.</summary>
public static class WriterComparison
{
    private static readonly int[] Producers = [1, 8, 32];

    /// <param name="scale">The number of rounds and of events.</param>
    /// <param name="makeOther">Makes another build's writer; null for none.</param>
    public static async Task<IReadOnlyList<WriterComparisonRow>> RunAsync(
        BenchmarkScale scale, Func<NpgsqlDataSource, IOtherWriter>? makeOther = null)
    {
        var rows = new List<WriterComparisonRow>();
        await using var database = await ThrowawayDatabase.StartAsync();
        var dataSource = database.DataSource;
        var all = await Seed.InsertCrawlsAsync(dataSource, 100);
        var awaited = SampleData.MakeEvents(scale.AwaitedEvents);
        var unawaited = SampleData.MakeEvents(scale.UnawaitedEvents);
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource));
        await using var notifying = new CrawlEventWriter(new CrawlEventRepository(dataSource, notify: true));
        await using var other = makeOther?.Invoke(dataSource);
        var folder = Directory.CreateTempSubdirectory("crawldata-benchmark-");
        await using var spooling = new CrawlEventWriter(
            new CrawlEventRepository(dataSource), new CrawlEventWriterOptions { SpoolDirectory = Path.Combine(folder.FullName, "spool") });
        foreach (var crawls in new[] { [all[0]], all })
        {
            foreach (var producers in Producers)
            {
                var rounds = new InterleavedRounds()
                    .Add("single INSERTs", () => ConcurrentProducers.InsertAsync(dataSource, crawls, awaited, producers))
                    .Add("writer", () => writer.AppendAsync(crawls, awaited, producers))
                    .Add("writer that notifies", () => notifying.AppendAsync(crawls, awaited, producers))
                    .Add("single INSERTs, prepared", () => ConcurrentProducers.InsertPreparedAsync(dataSource, crawls, awaited, producers))
                    .Add("INSERTs in transactions, prepared", () => ConcurrentProducers.InsertInTransactionsAsync(dataSource, crawls, awaited, producers));
                if (other is not null)
                {
                    rounds.Add($"writer of {other.Name}", () => other.AppendAsync(crawls, awaited, producers));
                }

                rows.Add(new WriterComparisonRow
                {
                    Producers = producers,
                    Crawls = crawls.Count,
                    Awaited = true,
                    Events = awaited.Length,
                    Measurements = await rounds.RunAsync(scale.WriterRounds),
                });
                Print(rows[^1]);
            }

            foreach (var producers in Producers)
            {
                var rounds = new InterleavedRounds()
                    .Add("one COPY", () => HandWritten.CopyEventsInAsync(dataSource, unawaited, crawls))
                    .Add("writer", () => writer.WriteAsync(crawls, unawaited, producers))
                    .Add("writer with a spool", () => spooling.WriteInGroupsAsync(crawls, unawaited, producers));
                if (other is not null)
                {
                    rounds.Add($"writer of {other.Name}", () => other.WriteAsync(crawls, unawaited, producers));
                }

                rows.Add(new WriterComparisonRow
                {
                    Producers = producers,
                    Crawls = crawls.Count,
                    Awaited = false,
                    Events = unawaited.Length,
                    Measurements = await rounds.RunAsync(scale.WriterRounds),
                });
                Print(rows[^1]);
            }
        }

        await spooling.DisposeAsync();
        folder.Delete(recursive: true);
        return rows;
    }

    private static void Print(WriterComparisonRow row)
    {
        Console.WriteLine(row.Title);
        var baseline = row.Measurements[0];
        foreach (var measurement in row.Measurements)
        {
            Console.WriteLine(
                $"  {measurement.Name,-22} {row.EventsPerSecond(measurement),9:N0} events/s, {baseline.Median / measurement.Median,5:0.00} of {baseline.Name}, "
                + $"{measurement.MedianBytes / row.Events,6:N0} bytes allocated per event");
        }
    }
}

using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>The writer with 1, 8 and 32 producers, on one crawl and on a hundred: beside single committed INSERTs by as many, when each event is awaited, and beside one
/// binary COPY, when none is.</summary>
public static class WriterComparison
{
    private static readonly int[] Producers = [1, 8, 32];

    public static async Task<IReadOnlyList<WriterRow>> RunAsync(int rounds, int awaited, int unawaited)
    {
        var rows = new List<WriterRow>();
        await using var database = await ThrowawayDatabase.StartAsync();
        var dataSource = database.DataSource;
        var runs = new CrawlRunRepository(dataSource);
        var crawls = new List<Guid>();
        for (var crawl = 0; crawl < 100; crawl++)
        {
            crawls.Add((await runs.CreateAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id);
        }

        var events = DatabaseBenchmark.MakeEvents(unawaited);
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource));
        await using var notifying = new CrawlEventWriter(new CrawlEventRepository(dataSource, notify: true));
        foreach (var crawlCount in new[] { 1, 100 })
        {
            foreach (var producers in Producers)
            {
                var measured = await new Interleaved($"{producers} producers, {crawlCount} crawls, each event awaited")
                    .Add("single INSERTs", () => ProduceAsync(producers, awaited, number => InsertAsync(dataSource, crawls[number % crawlCount], events[number])))
                    .Add("writer", () => ProduceAsync(producers, awaited, number => writer.AppendAsync(crawls[number % crawlCount], events[number])))
                    .Add("writer that notifies", () => ProduceAsync(producers, awaited, number => notifying.AppendAsync(crawls[number % crawlCount], events[number])))
                    .RunAsync(rounds);
                rows.Add(new WriterRow { Producers = producers, Crawls = crawlCount, Awaited = true, Events = awaited, Measured = measured });
                Print(rows[^1]);
            }

            foreach (var producers in Producers)
            {
                var measured = await new Interleaved($"{producers} producers, {crawlCount} crawls, no event awaited")
                    .Add("one COPY", () => CopyAsync(dataSource, crawls, crawlCount, events))
                    .Add("writer", async () =>
                    {
                        await ProduceAsync(producers, unawaited, number => writer.WriteAsync(crawls[number % crawlCount], events[number]).AsTask());
                        await writer.FlushAsync();
                    })
                    .RunAsync(rounds);
                rows.Add(new WriterRow { Producers = producers, Crawls = crawlCount, Awaited = false, Events = unawaited, Measured = measured });
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

    private static Task ProduceAsync(int producers, int count, Func<int, Task> append) => Task.WhenAll(Enumerable.Range(0, producers).Select(producer => Task.Run(async () =>
    {
        for (var number = producer; number < count; number += producers)
        {
            await append(number);
        }
    })));

    private static async Task InsertAsync(NpgsqlDataSource dataSource, Guid crawl, NewCrawlEvent crawlEvent)
    {
        await using var insert = dataSource.CreateCommand("insert into crawl_events (crawl_id, event_type, payload) values ($1, $2, $3) returning id");
        insert.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = crawlEvent.EventType, NpgsqlDbType = NpgsqlDbType.Varchar });
        insert.Parameters.Add(new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = crawlEvent.Payload.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
        await insert.ExecuteScalarAsync();
    }

    private static async Task CopyAsync(NpgsqlDataSource dataSource, List<Guid> crawls, int crawlCount, NewCrawlEvent[] events)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var importer = await connection.BeginBinaryImportAsync("copy crawl_events (crawl_id, event_type, payload) from stdin (format binary)");
        for (var number = 0; number < events.Length; number++)
        {
            await importer.StartRowAsync();
            await importer.WriteAsync(crawls[number % crawlCount], NpgsqlDbType.Uuid);
            await importer.WriteAsync(events[number].EventType, NpgsqlDbType.Varchar);
            await importer.WriteAsync(events[number].Payload.Utf8, NpgsqlDbType.Jsonb);
        }

        await importer.CompleteAsync();
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

using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Measures appends and reads in a schema of Citus, through the coordinator, beside those of a plain server on this machine.</summary>
internal static class CitusComparison
{
    private const string Variable = "CRAWLDATA_CITUS_CONNECTION";
    private const int Producers = 8;
    private const int ReadEvents = 10_000;
    private const int SingleEvents = 400;

    /// <summary>Prints a row for each workload.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(BenchmarkScale scale)
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } connectionString)
        {
            await Console.Error.WriteLineAsync($"{Variable} is not set. It names a database on the coordinator of a Citus cluster.");
            return 1;
        }

        var schema = $"benchmark_{Guid.CreateVersion7():n}";
        await using var administration = NpgsqlDataSource.Create(connectionString);
        await Seed.ExecuteAsync(administration, $"set citus.enable_schema_based_sharding to on; create schema {schema}");
        try
        {
            await using var citus = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { SearchPath = schema });
            await new SchemaMigrator(citus).MigrateAsync();
            await using var plain = await ThrowawayDatabase.StartAsync();
            await CompareAsync(plain.DataSource, citus, scale);
        }
        finally
        {
            await Seed.ExecuteAsync(administration, $"drop schema {schema} cascade");
        }

        return 0;
    }

    private static async Task CompareAsync(NpgsqlDataSource plain, NpgsqlDataSource citus, BenchmarkScale scale)
    {
        var onPlain = await WorkloadsAsync(plain, scale);
        var onCitus = await WorkloadsAsync(citus, scale);
        Console.WriteLine("| workload | plain, events/s | Citus, events/s | Citus / plain |\n| --- | --- | --- | --- |");
        foreach (var ((workload, events, plainWork), (_, _, citusWork)) in onPlain.Zip(onCitus))
        {
            var measured = await new InterleavedRounds().Add("plain", plainWork).Add("Citus", citusWork).RunAsync(scale.CitusRounds);
            var (plainTime, citusTime) = (measured[0].Median, measured[1].Median);
            Console.WriteLine(
                $"| {workload} | {events / plainTime.TotalSeconds:N0} | {events / citusTime.TotalSeconds:N0} | {plainTime / citusTime:0.00} |");
        }
    }

    private static async Task<IReadOnlyList<(string Name, int Events, Func<Task> Work)>> WorkloadsAsync(NpgsqlDataSource dataSource, BenchmarkScale scale)
    {
        var all = await Seed.InsertCrawlsAsync(dataSource, 101);
        var (read, crawls) = (all[100], all.Take(100).ToArray());
        var events = new CrawlEventRepository(dataSource);
        var writer = new CrawlEventWriter(events);
        var unawaited = SampleData.MakeEvents(scale.UnawaitedEvents);
        var awaited = SampleData.MakeEvents(scale.AwaitedEvents);
        var single = SampleData.MakeEvents(SingleEvents);
        await events.AppendAsync(read, SampleData.MakeEvents(ReadEvents));
        await Seed.ExecuteAsync(dataSource, "analyze crawl_runs; analyze crawl_events");
        return
        [
            (
                "read 10,000 events of a crawl",
                ReadEvents,
                async () => RowCount.Require(ReadEvents, (await events.ListAsync(read, pageSize: ReadEvents)).Items.Count)),
            ($"writer, {Producers} producers, 100 crawls, no event awaited", unawaited.Length, () => writer.WriteAsync(crawls, unawaited, Producers)),
            ($"writer, {Producers} producers, 8 crawls, each event awaited", awaited.Length, () => writer.AppendAsync(crawls[..8], awaited, Producers)),
            (
                $"one event an append, {Producers} clients, 100 crawls",
                SingleEvents,
                () => ConcurrentProducers.RunAsync(
                    Producers, SingleEvents, number => events.AppendAsync(crawls[number % crawls.Length], single[number]))),
            (
                "one event an append, 1 client",
                SingleEvents,
                () => ConcurrentProducers.RunAsync(1, SingleEvents, number => events.AppendAsync(crawls[number % crawls.Length], single[number]))),
            ("100 events an append", 100, () => events.AppendAsync(crawls[0], single[..100])),
            ("10,000 events an append", 10_000, () => events.AppendAsync(crawls[0], unawaited[..10_000])),
        ];
    }
}

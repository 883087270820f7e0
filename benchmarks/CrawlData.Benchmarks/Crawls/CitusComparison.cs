using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Measures appends and reads through the coordinator of Citus, in a tenant's schema and of distributed crawls, beside those of a plain server on
/// this machine.</summary>
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
        await Seed.ExecuteAsync(
            administration, $"create schema {schema}_crawls; set citus.enable_schema_based_sharding to on; create schema {schema}_tenant");
        try
        {
            await using var tenant = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { SearchPath = $"{schema}_tenant" });
            await using var crawls = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { SearchPath = $"{schema}_crawls" });
            await new SchemaMigrator(tenant).MigrateAsync();
            await new SchemaMigrator(crawls).MigrateAsync();
            await new CrawlDistributor(crawls).DistributeAsync();
            await using var plain = await ThrowawayDatabase.StartAsync();
            await CompareAsync(plain.DataSource, tenant, crawls, scale);
        }
        finally
        {
            await Seed.ExecuteAsync(administration, $"drop schema {schema}_tenant cascade; drop schema {schema}_crawls cascade");
        }

        return 0;
    }

    private static async Task CompareAsync(NpgsqlDataSource plain, NpgsqlDataSource tenant, NpgsqlDataSource crawls, BenchmarkScale scale)
    {
        var onPlain = await WorkloadsAsync(plain, scale);
        var ofTenant = await WorkloadsAsync(tenant, scale);
        var ofCrawls = await WorkloadsAsync(crawls, scale);
        Console.WriteLine("| workload | plain, events/s | a schema a tenant / plain | crawls distributed / plain |\n| --- | --- | --- | --- |");
        foreach (var ((workload, events, plainWork), (_, _, tenantWork), (_, _, crawlsWork)) in onPlain.Zip(ofTenant, ofCrawls))
        {
            var measured = await new InterleavedRounds().Add("plain", plainWork).Add("tenant", tenantWork).Add("crawls", crawlsWork)
                .RunAsync(scale.CitusRounds);
            var (plainTime, tenantTime, crawlsTime) = (measured[0].Median, measured[1].Median, measured[2].Median);
            Console.WriteLine(
                $"| {workload} | {events / plainTime.TotalSeconds:N0} | {plainTime / tenantTime:0.00} | {plainTime / crawlsTime:0.00} |");
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

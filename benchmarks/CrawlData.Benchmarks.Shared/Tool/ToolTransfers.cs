using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Tool;

/// <summary>Measures imports and exports of one crawl, each as a whole process. The baseline is what a user of psql types.</summary>
public static class ToolTransfers
{
    // The characters that CSV quotes and separates with occur in no JSON text.
    private const string AsLines = @"(format csv, delimiter E'\x02', quote E'\x01')";

    /// <param name="scale">The numbers of events and of rounds.</param>
    /// <param name="hello">A program that says hello, which <c>--help</c> is compared with; null to leave the starts out.</param>
    /// <param name="others">Other builds of the tool.</param>
    /// <returns>Null when this machine has no psql.</returns>
    public static async Task<ToolTransfersResult?> RunAsync(BenchmarkScale scale, ClientProgram? hello = null, params ClientProgram[] others)
    {
        if (ClientProgram.Psql() is not { } psql)
        {
            return null;
        }

        await using var database = await Seed.StartDatabaseAsync(1, scale.TransferredEvents);
        var connection = database.ConnectionString;
        var folder = Directory.CreateTempSubdirectory("crawldata-benchmark-");
        try
        {
            var (recording, events, exported) = (Path.Combine(folder.FullName, "crawl.ndjson"), Path.Combine(folder.FullName, "events.ndjson"),
                Path.Combine(folder.FullName, "exported.ndjson"));
            var crawl = await CompleteCrawlAsync(database);
            ClientProgram[] tools = [ClientProgram.CrawlData("crawldata", AppContext.BaseDirectory), .. others];
            await tools[0].RunAsync(connection, "export", $"{crawl}", "--output", recording);
            await File.WriteAllLinesAsync(events, File.ReadLines(recording).Skip(1));

            var imports = new InterleavedRounds().Add(psql.Name, () => psql.RunAsync(connection, ImportByPsql(events)));
            Array.ForEach(tools, tool => imports.Add(tool.Name, () => tool.RunAsync(connection, "import", recording, "--new-ids")));
            var imported = await imports.RunAsync(scale.TransferRounds, warmUp: 1, beforeEach: CheckpointAsync);
            var importProcessor = ProcessorTimes();

            await Seed.VacuumAsync(database.DataSource);
            var exports = new InterleavedRounds().Add(psql.Name, () => psql.RunAsync(connection, "--command", ExportByPsql(crawl, exported)));
            Array.ForEach(tools, tool => exports.Add(tool.Name, () => tool.RunAsync(connection, "export", $"{crawl}", "--output", exported)));
            var result = new ToolTransfersResult
            {
                Events = scale.TransferredEvents,
                Bytes = new FileInfo(recording).Length,
                Imports = imported,
                ImportProcessor = importProcessor,
                Exports = await exports.RunAsync(scale.TransferRounds, warmUp: 1, beforeEach: DeleteExported),
                ExportProcessor = ProcessorTimes(),
                Starts = await StartAsync(hello, tools, connection, scale.TransferRounds),
            };
            Print("import", result.Events, result.Imports, result.ImportProcessor);
            Print("export", result.Events, result.Exports, result.ExportProcessor);
            return result;

            IReadOnlyList<TimeSpan?> ProcessorTimes() => [.. tools.Prepend(psql).Select(program => program.ProcessorTime(scale.TransferRounds))];

            Task CheckpointAsync() => Seed.ExecuteAsync(database.DataSource, "checkpoint");

            Task DeleteExported()
            {
                File.Delete(exported);
                return Task.CompletedTask;
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<IReadOnlyList<Measurement>> StartAsync(ClientProgram? hello, ClientProgram[] tools, string connection, int rounds)
    {
        if (hello is null)
        {
            return [];
        }

        var starts = new InterleavedRounds().Add(hello.Name, () => hello.RunAsync(connection));
        Array.ForEach(tools, tool => starts.Add($"{tool.Name} --help", () => tool.RunAsync(connection, "--help")));
        return await starts.RunAsync(rounds);
    }

    private static void Print(string title, int events, IReadOnlyList<Measurement> measurements, IReadOnlyList<TimeSpan?> processor)
    {
        foreach (var (one, time) in measurements.Zip(processor))
        {
            Console.WriteLine(
                $"{title}, {one.Name,-20} {Measurement.Format(one.Median),10}, {one.Median / measurements[0].Median,5:0.00} of psql"
                + (time is { } known ? $", {known.TotalMicroseconds / events:0.0} µs of processor time an event" : ""));
        }
    }

    // An unfinished run would be work for others, and is not imported.
    private static async Task<Guid> CompleteCrawlAsync(ThrowawayDatabase database)
    {
        var runs = new CrawlRunRepository(database.DataSource);
        var run = (await runs.ListAsync()).Items.Single();
        await runs.StartAsync(run.Id);
        await runs.CompleteAsync(run.Id);
        return run.Id;
    }

    private static string[] ImportByPsql(string events) =>
    [
        "--single-transaction",
        "--command",
        "create temporary table lines (line jsonb) on commit drop",
        "--command",
        $"\\copy lines from '{events}' {AsLines}",
        "--command",
        """
        with run as (insert into crawl_runs (id, app_package) values (pg_catalog.gen_random_uuid(), 'org.example.app') returning id)
        insert into crawl_events (crawl_id, event_type, payload, created_at)
        select run.id, line -> 'row' ->> 'event_type', line -> 'row' -> 'payload', ((line -> 'row' ->> 'created_at')::timestamptz at time zone 'UTC')
        from lines, run
        """,
    ];

    private static string ExportByPsql(Guid crawl, string file) =>
        $"\\copy (select json_build_object('table', 'crawl_events', 'row', json_build_object('crawl_id', crawl_id, 'event_type', event_type, "
        + $"'payload', payload, 'created_at', created_at)) from crawl_events where crawl_id = '{crawl}' order by id) to '{file}' {AsLines}";
}

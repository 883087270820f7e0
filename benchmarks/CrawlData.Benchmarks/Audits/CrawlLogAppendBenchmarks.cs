using BenchmarkDotNet.Attributes;
using CrawlData.Audits;
using NpgsqlTypes;

namespace CrawlData.Benchmarks.Audits;

/// <summary>Appends and commits 1,000 log lines, which returns their ids. The baseline is a binary COPY without ids.</summary>
public class CrawlLogAppendBenchmarks : DatabaseBenchmark
{
    private CrawlLogRepository logs = null!;
    private NewCrawlLog[] lines = [];
    private Guid session;

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        logs = new CrawlLogRepository(DataSource);
        lines = SampleData.MakeLogLines(Scaled(1_000));
        session = await Seed.InsertSessionAsync(DataSource);
    }

    [IterationSetup]
    public void Empty() => Truncate("crawl_logs");

    [Benchmark(Baseline = true, Description = "COPY without ids")]
    public async Task ByCopyAsync()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var importer = await connection.BeginBinaryImportAsync(
            "copy crawl_logs (session_id, level, event_type, message, details, timestamp) from stdin (format binary)");
        foreach (var line in lines)
        {
            await importer.StartRowAsync();
            await importer.WriteAsync(session, NpgsqlDbType.Uuid);
            await importer.WriteAsync("info", NpgsqlDbType.Text);
            await importer.WriteAsync("navigation", NpgsqlDbType.Text);
            await importer.WriteAsync(line.Message, NpgsqlDbType.Text);
            await importer.WriteAsync(line.Details.Utf8, NpgsqlDbType.Jsonb);
            await importer.WriteAsync(line.Timestamp!.Value.UtcDateTime, NpgsqlDbType.TimestampTz);
        }

        await importer.CompleteAsync();
    }

    [Benchmark(Description = "AppendAsync")]
    public Task<IReadOnlyList<long>> AppendAsync() => logs.AppendAsync(session, lines);
}

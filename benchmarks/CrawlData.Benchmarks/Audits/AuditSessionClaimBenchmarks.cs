using BenchmarkDotNet.Attributes;
using CrawlData.Audits;

namespace CrawlData.Benchmarks.Audits;

/// <summary>Claims sessions one after the other from a queue of 100,000. The baseline is an UPDATE by hand, which writes no log line for the attempt.</summary>
public class AuditSessionClaimBenchmarks : DatabaseBenchmark
{
    private const int Claims = 100;

    private AuditSessionQueue queue = null!;

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        queue = new AuditSessionQueue(DataSource);
        await Seed.ExecuteAsync(
            DataSource,
            """
            insert into audit_sessions (url, status, created_at, mode, retention_policy, crawl_policy_version, config_snapshot)
            select 'https://example.org/' || number, 'queued', timestamptz '2026-01-01Z' + number * interval '1 second', 'standard', 'standard', '2026.11', '{}'
            from generate_series(1, $1) as number
            """,
            Scaled(100_000));
        await Seed.VacuumAsync(DataSource);
    }

    [Benchmark(Baseline = true, Description = "Npgsql by hand", OperationsPerInvoke = Claims)]
    public async Task ByHandAsync()
    {
        for (var claim = 0; claim < Claims; claim++)
        {
            RowCount.Require(1, await HandWritten.ReadAsync(
                DataSource,
                """
                update audit_sessions set status = 'running', attempts = attempts + 1
                where id = (select id from audit_sessions where status = 'queued' order by created_at limit 1 for no key update skip locked)
                returning id, url, attempts
                """,
                reader => (reader.GetGuid(0), reader.GetString(1), reader.GetInt32(2)),
                _ => { }));
        }
    }

    [Benchmark(Description = "ClaimNextAsync", OperationsPerInvoke = Claims)]
    public async Task ClaimNextAsync()
    {
        for (var claim = 0; claim < Claims; claim++)
        {
            RowCount.Require(1, await queue.ClaimNextAsync() is null ? 0 : 1);
        }
    }
}

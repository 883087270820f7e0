using BenchmarkDotNet.Attributes;
using CrawlData.Audits;
using CrawlData.Retention;

namespace CrawlData.Benchmarks.Retention;

/// <summary>Sweeps 10,000 expired artifacts in batches from a store that does nothing. The baseline is one UPDATE that marks them all.</summary>
public class SweepBenchmarks : DatabaseBenchmark
{
    private const int Artifacts = 10_000;

    private ArtifactSweeper sweeper = null!;

    [Params(100, 1_000)]
    public int BatchSize { get; set; }

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        sweeper = new ArtifactSweeper(DataSource);
        var session = await Seed.InsertSessionAsync(DataSource);
        await new AuditPageRepository(DataSource).InsertAsync(session, new NewAuditPage { PageType = PageType.Homepage, Viewport = Viewport.Desktop });
    }

    [IterationSetup]
    public void Fill()
    {
        Truncate("artifacts");
        Seed.ExecuteAsync(
            DataSource,
            """
            insert into artifacts (session_id, page_id, type, storage_uri, size_bytes, retention_until)
            select session_id, id, 'screenshot', 'file:///var/audits/' || number || '.png', 95881, now() - number * interval '1 second'
            from audit_pages cross join generate_series(1, $1) as number
            """,
            Scaled(Artifacts)).GetAwaiter().GetResult();
        Seed.ExecuteAsync(DataSource, "vacuum analyze artifacts").GetAwaiter().GetResult();
    }

    [Benchmark(Baseline = true, Description = "one UPDATE")]
    public async Task<int> ByHandAsync() => RowCount.Require(Scaled(Artifacts), await Seed.ExecuteAsync(
        DataSource, "update artifacts set deleted_at = clock_timestamp() where deleted_at is null and retention_until <= now()"));

    [Benchmark(Description = "SweepAsync")]
    public async Task<int> SweepAsync()
    {
        var total = await sweeper.SweepAsync(new EmptyStore(), Scaled(BatchSize));
        return RowCount.Require(Scaled(Artifacts), (int)total.Deleted);
    }

    private sealed class EmptyStore : IArtifactStore
    {
        public Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken) =>
            Task.FromResult(artifacts);
    }
}

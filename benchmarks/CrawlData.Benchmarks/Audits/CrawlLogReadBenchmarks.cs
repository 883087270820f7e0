using BenchmarkDotNet.Attributes;
using CrawlData.Audits;

namespace CrawlData.Benchmarks.Audits;

/// <summary>Reads the log of one session out of ten, as a single page and as a stream. The baseline is Npgsql by hand.</summary>
public class CrawlLogReadBenchmarks : DatabaseBenchmark
{
    private CrawlLogRepository logs = null!;
    private Guid session;

    [Params(1_000, CrawlLogRepository.MaxPageSize)]
    public int Lines { get; set; }

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        logs = new CrawlLogRepository(DataSource);
        var lines = SampleData.MakeLogLines(Scaled(Lines));
        for (var number = 0; number < 10; number++)
        {
            session = await Seed.InsertSessionAsync(DataSource);
            await logs.AppendAsync(session, lines);
        }

        await Seed.VacuumAsync(DataSource);
    }

    [Benchmark(Baseline = true, Description = "Npgsql by hand")]
    public async Task<int> ByHandAsync()
    {
        var read = new List<(long, Guid, string, string, string, byte[], DateTime)>();
        return RowCount.Require(Scaled(Lines), await HandWritten.ReadAsync(
            DataSource,
            """
            select id, session_id, level::text, event_type::text, message, details, timestamp
            from crawl_logs where session_id = $1 order by session_id, timestamp, id
            """,
            reader => (
                reader.GetInt64(0), reader.GetGuid(1), reader.GetString(2), reader.GetString(3), reader.GetString(4),
                reader.GetFieldValue<byte[]>(5), reader.GetDateTime(6)),
            read.Add,
            session));
    }

    [Benchmark(Description = "ListAsync, one page")]
    public async Task<int> ListAsync() => RowCount.Require(Scaled(Lines), (await logs.ListAsync(session, pageSize: Scaled(Lines))).Items.Count);

    [Benchmark(Description = "StreamAsync")]
    public async Task<int> StreamAsync()
    {
        var read = 0;
        await foreach (var _ in logs.StreamAsync(session))
        {
            read++;
        }

        return RowCount.Require(Scaled(Lines), read);
    }
}

using BenchmarkDotNet.Attributes;
using CrawlData.Audits;

namespace CrawlData.Benchmarks.Audits;

/// <summary>One session's log out of ten, as a page that holds it all and as a stream, beside hand-written Npgsql.</summary>
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
        var lines = Seed.MakeLines(Scale.Of(Lines));
        for (var number = 0; number < 10; number++)
        {
            session = await Seed.SessionAsync(DataSource);
            await logs.AppendAsync(session, lines);
        }

        await Seed.ExecuteAsync(DataSource, "vacuum analyze");
    }

    [Benchmark(Baseline = true, Description = "Npgsql by hand")]
    public async Task<int> ByHandAsync()
    {
        var read = new List<(long, Guid, string, string, string, byte[], DateTime)>();
        return Require(Scale.Of(Lines), await HandWritten.ReadAsync(
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
    public async Task<int> ListAsync() => Require(Scale.Of(Lines), (await logs.ListAsync(session, pageSize: Scale.Of(Lines))).Items.Count);

    [Benchmark(Description = "StreamAsync")]
    public async Task<int> StreamAsync()
    {
        var read = 0;
        await foreach (var _ in logs.StreamAsync(session))
        {
            read++;
        }

        return Require(Scale.Of(Lines), read);
    }
}

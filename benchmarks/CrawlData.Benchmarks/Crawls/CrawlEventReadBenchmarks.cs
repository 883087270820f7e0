using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>One crawl's 10,000 events out of 100,000, beside hand-written Npgsql.</summary>
public class CrawlEventReadBenchmarks : DatabaseBenchmark
{
    private const int Count = 10_000;

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        var events = MakeEvents(Count);
        await Events.AppendAsync(Crawl, events);
        var runs = new CrawlRunRepository(DataSource);
        for (var other = 0; other < 9; other++)
        {
            await Events.AppendAsync((await runs.CreateAsync(new NewCrawlRun { AppPackage = "org.example.other" })).Id, events);
        }

        await using var analyze = DataSource.CreateCommand("vacuum analyze crawl_events");
        await analyze.ExecuteNonQueryAsync();
    }

    [Benchmark(Baseline = true, Description = "Npgsql by hand")]
    public async Task<int> ByHandAsync()
    {
        var read = new List<(long, Guid, string, byte[], DateTime)>();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var command = new NpgsqlCommand("select id, crawl_id, event_type, payload, created_at from crawl_events where crawl_id = $1 order by crawl_id, id", connection);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = Crawl });
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            read.Add((reader.GetInt64(0), reader.GetGuid(1), reader.GetString(2), reader.GetFieldValue<byte[]>(3), reader.GetDateTime(4)));
        }

        return read.Count;
    }

    [Benchmark(Description = "ListAsync")]
    public async Task<int> ListAsync() => (await Events.ListAsync(Crawl)).Count;

    [Benchmark(Description = "StreamAsync")]
    public async Task<int> StreamAsync()
    {
        var read = 0;
        await foreach (var _ in Events.StreamAsync(Crawl))
        {
            read++;
        }

        return read;
    }
}

using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>One crawl's 10,000 events out of 1,000,000, or the tenth that is of one type or of a range of time: as a list, by pages, as a stream, and the first
/// alone, beside hand-written Npgsql.</summary>
public class CrawlEventReadBenchmarks() : DatabaseBenchmark(Seeded)
{
    private const int Count = 10_000;

    private static readonly Lazy<Task<ThrowawayDatabase>> Seeded = new(() => Seed.EventsAsync(crawls: 100, Scale.Of(Count)));

    private Guid crawl;
    private CrawlEventFilter query = new();
    private int expected;
    private string sql = "";
    private object[] values = [];
    private IAsyncEnumerator<CrawlEvent>? left;

    public enum Selection
    {
        All,
        OneType,
        TimeRange,
    }

    [ParamsAllValues]
    public Selection Select { get; set; }

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        crawl = (await new CrawlRunRepository(DataSource).ListAsync(pageSize: 1)).Items[0].Id;
        expected = Scale.Of(Count) / (Select == Selection.All ? 1 : 10);
        var (from, before) = (Seed.Start.AddMilliseconds(Scale.Of(Count) * 0.5), Seed.Start.AddMilliseconds(Scale.Of(Count) * 0.6));
        (query, var condition, values) = Select switch
        {
            Selection.OneType => (new CrawlEventFilter { EventTypes = [Seed.RareEventType] }, "and event_type = $2", [crawl, Seed.RareEventType]),
            Selection.TimeRange => (
                new CrawlEventFilter { CreatedFrom = from, CreatedBefore = before },
                "and created_at >= $2 and created_at < $3",
                [crawl, DateTime.SpecifyKind(from.UtcDateTime, DateTimeKind.Unspecified), DateTime.SpecifyKind(before.UtcDateTime, DateTimeKind.Unspecified)]),
            _ => (new CrawlEventFilter(), "", new object[] { crawl }),
        };
        sql = $"select id, crawl_id, event_type, payload, created_at from crawl_events where crawl_id = $1 {condition} order by crawl_id, id";
    }

    [Benchmark(Baseline = true, Description = "Npgsql by hand")]
    public async Task<int> ByHandAsync()
    {
        var read = new List<(long, Guid, string, byte[], DateTime)>();
        return Require(expected, await HandWritten.ReadAsync(DataSource, sql, Row, read.Add, values));
    }

    [Benchmark(Description = "ListAsync")]
    public async Task<int> ListAsync() => Require(expected, (await Events.ListAsync(crawl, query, Scale.Of(Count))).Items.Count);

    [Benchmark(Description = "ListAsync, pages of 1,000")]
    public async Task<int> ListPagesAsync()
    {
        var read = 0;
        string? cursor = null;
        do
        {
            var page = await Events.ListAsync(crawl, query, Scale.Of(1_000), cursor);
            read += page.Items.Count;
            cursor = page.NextCursor;
        }
        while (cursor is not null);

        return Require(expected, read);
    }

    [Benchmark(Description = "StreamAsync")]
    public async Task<int> StreamAsync()
    {
        var read = 0;
        await foreach (var _ in Events.StreamAsync(crawl, query))
        {
            read++;
        }

        return Require(expected, read);
    }

    [Benchmark(Description = "StreamAsync, first event")]
    public async Task<int> StreamFirstAsync()
    {
        left = Events.StreamAsync(crawl, query).GetAsyncEnumerator();
        return Require(1, await left.MoveNextAsync() ? 1 : 0);
    }

    /// <summary>Leaving a stream cancels its query, which is not part of how soon the first event comes.</summary>
    [IterationCleanup(Target = nameof(StreamFirstAsync))]
    public void Leave() => left!.DisposeAsync().AsTask().GetAwaiter().GetResult();

    internal static (long, Guid, string, byte[], DateTime) Row(NpgsqlDataReader reader) =>
        (reader.GetInt64(0), reader.GetGuid(1), reader.GetString(2), reader.GetFieldValue<byte[]>(3), reader.GetDateTime(4));
}

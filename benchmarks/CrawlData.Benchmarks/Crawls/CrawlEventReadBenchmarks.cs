using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Reads one crawl's 10,000 events out of 1,000,000, or the tenth of them with one type or in one time range. The methods are a list, pages, a stream,
/// and a stream's first event. The baseline is Npgsql by hand.</summary>
public class CrawlEventReadBenchmarks() : DatabaseBenchmark(Seeded)
{
    private const int Count = 10_000;

    private static readonly Lazy<Task<ThrowawayDatabase>> Seeded = new(() => Seed.StartDatabaseAsync(crawls: 100, Scaled(Count)));

    private Guid crawl;
    private CrawlEventFilter query = new();
    private int expected;
    private string sql = "";
    private object[] values = [];
    private IAsyncEnumerator<CrawlEvent>? stream;

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
        expected = Scaled(Count) / (Select == Selection.All ? 1 : 10);
        var (from, before) = (SampleData.Start.AddMilliseconds(Scaled(Count) * 0.5), SampleData.Start.AddMilliseconds(Scaled(Count) * 0.6));
        (query, var condition, values) = Select switch
        {
            Selection.OneType => (new CrawlEventFilter { EventTypes = [SampleData.RareEventType] }, "and event_type = $2", [crawl, SampleData.RareEventType]),
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
        return RowCount.Require(expected, await HandWritten.ReadAsync(DataSource, sql, HandWritten.ReadEvent, read.Add, values));
    }

    [Benchmark(Description = "ListAsync")]
    public async Task<int> ListAsync() => RowCount.Require(expected, (await Events.ListAsync(crawl, query, Scaled(Count))).Items.Count);

    [Benchmark(Description = "ListAsync, pages of 1,000")]
    public async Task<int> ListPagesAsync()
    {
        var read = 0;
        string? cursor = null;
        do
        {
            var page = await Events.ListAsync(crawl, query, Scaled(1_000), cursor);
            read += page.Items.Count;
            cursor = page.NextCursor;
        }
        while (cursor is not null);

        return RowCount.Require(expected, read);
    }

    [Benchmark(Description = "StreamAsync")]
    public async Task<int> StreamAsync()
    {
        var read = 0;
        await foreach (var _ in Events.StreamAsync(crawl, query))
        {
            read++;
        }

        return RowCount.Require(expected, read);
    }

    [Benchmark(Description = "StreamAsync, first event")]
    public async Task<int> StreamFirstAsync()
    {
        stream = Events.StreamAsync(crawl, query).GetAsyncEnumerator();
        return RowCount.Require(1, await stream.MoveNextAsync() ? 1 : 0);
    }

    /// <summary>Disposes the stream, which cancels its query. The time to the first event does not include that.</summary>
    [IterationCleanup(Target = nameof(StreamFirstAsync))]
    public void DisposeStream() => stream!.DisposeAsync().AsTask().GetAwaiter().GetResult();
}

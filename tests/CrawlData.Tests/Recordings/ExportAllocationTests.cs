using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Tests.Recordings;

/// <summary>What an export allocates does not depend on the machine. The fixture runs alone, because what other tests allocate would count.</summary>
[NonParallelizable]
public sealed class ExportAllocationTests : DatabaseTest
{
    /// <summary>The first exports allocate more, until the runtime has optimized the driver's code.</summary>
    [Test]
    public async Task An_export_allocates_at_most_40_bytes_an_event()
    {
        const int events = 20_000;
        const int most = 40;
        var crawl = await CreateCrawlAsync();
        await using var insert = DataSource.CreateCommand(
            """
            insert into crawl_events (crawl_id, event_type, payload)
            select $1, 'element.found', json_build_object('number', n, 'text', repeat('x', 220)) from generate_series(1, $2) as numbers (n)
            """);
        insert.Parameters.Add(new NpgsqlParameter { Value = crawl });
        insert.Parameters.Add(new NpgsqlParameter { Value = events });
        await insert.ExecuteNonQueryAsync();

        var allocated = double.MaxValue;
        for (var export = 0; export < 50 && allocated > most; export++)
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            await new RecordingExporter(DataSource).ExportCrawlAsync(crawl, Stream.Null);
            allocated = (double)(GC.GetTotalAllocatedBytes(precise: true) - before) / events;
        }

        Assert.That(allocated, Is.LessThanOrEqualTo(most));
    }
}

using System.ComponentModel;
using System.Diagnostics;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Measures reads of one crawl's events from a server that has just started. It compares the pages that single INSERTs fill with those of a
/// writer.</summary>
internal static class ColdReads
{
    private const string PagesSql = "select count(distinct (ctid::text::point)[0]) from crawl_events where crawl_id = $1";

    /// <param name="scale">The number of crawls that are written concurrently, of events per crawl, and of rounds.</param>
    /// <param name="size">The number of events in a table. A larger table has further groups of concurrent crawls.</param>
    /// <param name="fsync">Whether the servers run with fsync on.</param>
    /// <returns>The reads; null when this machine has no server programs.</returns>
    public static async Task<ColdReadsResult?> RunAsync(BenchmarkScale scale, int size, bool fsync)
    {
        await using var insertServer = await RestartableServer.StartAsync(fsync);
        await using var writerServer = await RestartableServer.StartAsync(fsync);
        if (insertServer is null || writerServer is null)
        {
            return null;
        }

        // The server generates the rows in the order of single round-robin INSERTs, because a million INSERTs would take minutes.
        var insertedCrawls = await Seed.InsertCrawlsAsync(insertServer.DataSource, size / scale.EventsPerCrawl);
        var writtenCrawls = await Seed.InsertCrawlsAsync(writerServer.DataSource, size / scale.EventsPerCrawl);
        foreach (var (inserted, written) in insertedCrawls.Chunk(scale.Crawls).Zip(writtenCrawls.Chunk(scale.Crawls)))
        {
            await Seed.GenerateEventsAsync(insertServer.DataSource, inserted, scale.EventsPerCrawl, batchPerCrawl: 1);
            await WriteAsync(writerServer.DataSource, written, scale.EventsPerCrawl);
        }

        await Seed.VacuumAsync(writerServer.DataSource);
        await Seed.ExecuteAsync(insertServer.DataSource, "checkpoint");
        await Seed.ExecuteAsync(writerServer.DataSource, "checkpoint");
        var (insertedCrawl, writtenCrawl) = (insertedCrawls[insertedCrawls.Count / 2], writtenCrawls[writtenCrawls.Count / 2]);
        var dropped = true;
        var measurements = await new InterleavedRounds()
            .Add($"single INSERTs, round-robin over {scale.Crawls} crawls", () => ReadAsync(insertServer.DataSource, insertedCrawl, scale.EventsPerCrawl))
            .Add($"CrawlEventWriter, {scale.Crawls} concurrent crawls", () => ReadAsync(writerServer.DataSource, writtenCrawl, scale.EventsPerCrawl))
            .RunAsync(scale.ColdRounds, warmUp: 1, beforeEach: async () =>
            {
                await insertServer.RestartAsync();
                await writerServer.RestartAsync();
                dropped &= await DropPageCacheAsync();

                // Connects and loads the catalogue.
                await ReadAsync(insertServer.DataSource, Guid.Empty, 0);
                await ReadAsync(writerServer.DataSource, Guid.Empty, 0);
            });
        return new ColdReadsResult
        {
            Events = insertedCrawls.Count * scale.EventsPerCrawl,
            Measurements = measurements,
            Pages = [await CountPagesAsync(insertServer.DataSource, insertedCrawl), await CountPagesAsync(writerServer.DataSource, writtenCrawl)],
            PageCacheDropped = dropped,
            Fsync = (await ServerFacts.ReadAsync(insertServer.DataSource)).Fsync,
        };
    }

    private static async Task WriteAsync(NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls, int eventsPerCrawl)
    {
        var events = SampleData.MakeEvents(eventsPerCrawl);
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource));
        await Task.WhenAll(crawls.Select(crawl => Task.Run(async () =>
        {
            foreach (var crawlEvent in events)
            {
                await writer.WriteAsync(crawl, crawlEvent);
            }
        })));
        await writer.FlushAsync();
    }

    private static async Task ReadAsync(NpgsqlDataSource dataSource, Guid crawl, int events) =>
        RowCount.Require(events, (await new CrawlEventRepository(dataSource).ListAsync(crawl, pageSize: CrawlEventRepository.MaxPageSize)).Items.Count);

    private static async Task<long> CountPagesAsync(NpgsqlDataSource dataSource, Guid crawl)
    {
        await using var pages = dataSource.CreateCommand(PagesSql);
        pages.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        return (long)(await pages.ExecuteScalarAsync())!;
    }

    private static async Task<bool> DropPageCacheAsync()
    {
        try
        {
            using var sync = Process.Start("sync");
            await sync.WaitForExitAsync();
            await File.WriteAllTextAsync("/proc/sys/vm/drop_caches", "3");
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or Win32Exception)
        {
            return false;
        }
    }
}

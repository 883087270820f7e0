using System.Diagnostics;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>One crawl's events from a server that has just started, as they lie after single INSERTs and after a writer.</summary>
internal static class ColdReads
{
    private const string CheckpointSql = """checkpoint""";

    private const string PagesSql = """select count(distinct (ctid::text::point)[0]) from crawl_events where crawl_id = $1""";

    /// <param name="extent">How many crawls are written at once, of how many events each, and how often one is read.</param>
    /// <param name="size">How many events the table has; what is beyond one set of crawls is written by further sets, one after the other.</param>
    /// <returns>None when this machine has no server binaries.</returns>
    public static async Task<ColdResult?> RunAsync(Extent extent, int size)
    {
        await using var oneByOne = await RestartableServer.StartAsync();
        await using var byWriter = await RestartableServer.StartAsync();
        if (oneByOne is null || byWriter is null)
        {
            return null;
        }

        // As single INSERTs in turns would lie; a million of them would take minutes.
        var scattered = await Seed.CrawlsAsync(oneByOne.DataSource, size / extent.EventsPerCrawl);
        var gathered = await Seed.CrawlsAsync(byWriter.DataSource, size / extent.EventsPerCrawl);
        foreach (var (atOnce, alsoAtOnce) in scattered.Chunk(extent.Crawls).Zip(gathered.Chunk(extent.Crawls)))
        {
            await Seed.EventsAsync(oneByOne.DataSource, atOnce, (long)atOnce.Length * extent.EventsPerCrawl, sideBySide: 1);
            await WriteAsync(byWriter.DataSource, alsoAtOnce, extent.EventsPerCrawl);
        }

        await Seed.SettleAsync(byWriter.DataSource);
        await CheckpointAsync(oneByOne.DataSource);
        await CheckpointAsync(byWriter.DataSource);
        var (scatteredCrawl, gatheredCrawl) = (scattered[scattered.Count / 2], gathered[gathered.Count / 2]);
        var dropped = true;
        var measured = await new Interleaved()
            .Add($"single INSERTs, {extent.Crawls} crawls in turns", () => ReadAsync(oneByOne.DataSource, scatteredCrawl, extent.EventsPerCrawl))
            .Add($"CrawlEventWriter, {extent.Crawls} crawls at once", () => ReadAsync(byWriter.DataSource, gatheredCrawl, extent.EventsPerCrawl))
            .RunAsync(extent.ColdRounds, warmUp: 1, between: async () =>
            {
                await oneByOne.RestartAsync();
                await byWriter.RestartAsync();
                dropped &= await DropPageCacheAsync();

                // Connects, and loads the catalogue.
                await ReadAsync(oneByOne.DataSource, Guid.Empty, 0);
                await ReadAsync(byWriter.DataSource, Guid.Empty, 0);
            });
        long[] pages = [await PagesAsync(oneByOne.DataSource, scatteredCrawl), await PagesAsync(byWriter.DataSource, gatheredCrawl)];
        return new ColdResult { Events = scattered.Count * extent.EventsPerCrawl, Measured = measured, Pages = pages, PageCacheDropped = dropped };
    }

    private static async Task WriteAsync(NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls, int eventsPerCrawl)
    {
        var events = DatabaseBenchmark.MakeEvents(eventsPerCrawl);
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

    private static Task ReadAsync(NpgsqlDataSource dataSource, Guid crawl, int events) =>
        Reads.RequireAsync(
            async () => (await new CrawlEventRepository(dataSource).ListAsync(crawl, pageSize: CrawlEventRepository.MaxPageSize)).Items.Count, events);

    private static async Task CheckpointAsync(NpgsqlDataSource dataSource)
    {
        await using var checkpoint = dataSource.CreateCommand(CheckpointSql);
        checkpoint.CommandTimeout = 0;
        await checkpoint.ExecuteNonQueryAsync();
    }

    private static async Task<long> PagesAsync(NpgsqlDataSource dataSource, Guid crawl)
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
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}

internal sealed record ColdResult
{
    /// <summary>How many events the table has.</summary>
    public required int Events { get; init; }

    public required IReadOnlyList<Measured> Measured { get; init; }

    /// <summary>In how many pages of the table the crawl's events lie, as measured.</summary>
    public required IReadOnlyList<long> Pages { get; init; }

    public required bool PageCacheDropped { get; init; }
}

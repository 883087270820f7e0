using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>One crawl's events among those of many, by every peer.</summary>
internal static class Reads
{
    public static async Task<IReadOnlyList<Measured>> RunAsync(Extent extent)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var crawls = await Seed.CrawlsAsync(database.DataSource, extent.Crawls);
        await Seed.EventsAsync(database.DataSource, crawls, extent.Events, Seed.BatchOfCrawl);
        var events = DatabaseBenchmark.MakeEvents(extent.EventsPerCrawl);
        var peers = AllPeers.Of(database.DataSource);
        var ways = new List<(string Name, Func<Task<int>> Read)>();
        foreach (var peer in peers)
        {
            await peer.SeedAsync(crawls, events);
            ways.AddRange(peer.Reads(crawls[crawls.Count / 2]));
        }

        await Seed.SettleAsync(database.DataSource);
        var interleaved = new Interleaved();
        foreach (var (name, read) in ways.OrderBy(way => way.Name != NpgsqlPeer.Reader))
        {
            interleaved.Add(name, () => RequireAsync(read, extent.EventsPerCrawl));
        }

        var measured = await interleaved.RunAsync(extent.Rounds);
        foreach (var peer in peers)
        {
            await peer.DisposeAsync();
        }

        return measured;
    }

    /// <summary>Reads, and throws when other events were read than there are.</summary>
    public static async Task RequireAsync(Func<Task<int>> read, int events)
    {
        var count = await read();
        if (count != events)
        {
            throw new InvalidOperationException($"{count} events were read instead of {events}.");
        }
    }
}

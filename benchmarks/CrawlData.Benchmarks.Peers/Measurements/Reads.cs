using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Measures every peer's reads of one crawl's events out of the events of many crawls.</summary>
internal static class Reads
{
    public static async Task<IReadOnlyList<Measurement>> RunAsync(BenchmarkScale scale)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var crawls = await Seed.InsertCrawlsAsync(database.DataSource, scale.Crawls);
        await Seed.GenerateEventsAsync(database.DataSource, crawls, scale.EventsPerCrawl, Seed.WriterBatchPerCrawl);
        var events = SampleData.MakeEvents(scale.EventsPerCrawl);
        var peers = AllPeers.Of(database.DataSource);
        var methods = new List<(string Name, Func<Task<int>> Read)>();
        foreach (var peer in peers)
        {
            await peer.SeedAsync(crawls, events);
            methods.AddRange(peer.Reads(crawls[crawls.Count / 2]));
        }

        await Seed.VacuumAsync(database.DataSource);
        var rounds = new InterleavedRounds();
        foreach (var (name, read) in methods.OrderBy(method => method.Name != NpgsqlPeer.Reader))
        {
            rounds.Add(name, async () => RowCount.Require(scale.EventsPerCrawl, await read()));
        }

        var measured = await rounds.RunAsync(scale.Rounds);
        foreach (var peer in peers)
        {
            await peer.DisposeAsync();
        }

        return measured;
    }
}

using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Events appended in one transaction, by every peer: beside an INSERT by hand where there is one, and else beside a COPY that gives no ids.</summary>
internal static class Appends
{
    public static async Task<IReadOnlyList<(int Events, IReadOnlyList<Measured> Measured)>> RunAsync(Extent extent)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var crawl = (await Seed.CrawlsAsync(database.DataSource, 1))[0];
        var peers = AllPeers.Of(database.DataSource);
        var rows = new List<(int, IReadOnlyList<Measured>)>();
        foreach (var count in extent.Appends)
        {
            var events = DatabaseBenchmark.MakeEvents(count);
            var floor = count == 1 ? NpgsqlPeer.Insert : CopyPeer.In;
            var interleaved = new Interleaved();
            foreach (var (name, append) in peers.SelectMany(peer => peer.Appends(crawl, events)).OrderBy(way => way.Name != floor))
            {
                interleaved.Add(name, append);
            }

            rows.Add((count, await interleaved.RunAsync(extent.AppendRounds)));
        }

        foreach (var peer in peers)
        {
            await peer.DisposeAsync();
        }

        return rows;
    }
}

using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Measures every peer's appends in one transaction. The baseline is an INSERT by hand for one event, and otherwise a COPY by hand.</summary>
internal static class Appends
{
    public static async Task<IReadOnlyList<AppendsRow>> RunAsync(BenchmarkScale scale)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var crawl = (await Seed.InsertCrawlsAsync(database.DataSource, 1))[0];
        var peers = AllPeers.Of(database.DataSource);
        var rows = new List<AppendsRow>();
        foreach (var count in scale.AppendSizes)
        {
            var events = SampleData.MakeEvents(count);
            var baseline = count == 1 ? NpgsqlPeer.Insert : CopyPeer.In;
            var rounds = new InterleavedRounds();
            foreach (var (name, append) in peers.SelectMany(peer => peer.Appends(crawl, events)).OrderBy(method => method.Name != baseline))
            {
                rounds.Add(name, append);
            }

            // Before some tens of calls, the runtime has not compiled a method for speed.
            var measured = scale.AppendRoundsOf(count);
            rows.Add(new AppendsRow { Events = count, Measurements = await rounds.RunAsync(measured, warmUp: Math.Max(measured / 3, 2)) });
        }

        foreach (var peer in peers)
        {
            await peer.DisposeAsync();
        }

        return rows;
    }
}

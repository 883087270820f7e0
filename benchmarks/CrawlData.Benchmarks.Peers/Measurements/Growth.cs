using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>The same read from ever larger tables, in turns: more events are more crawls.</summary>
internal static class Growth
{
    public static async Task<IReadOnlyList<GrowthRow>> RunAsync(Extent extent)
    {
        var databases = new List<ThrowawayDatabase>();
        var interleaved = new Interleaved();
        try
        {
            foreach (var size in extent.Growth)
            {
                var database = await ThrowawayDatabase.StartAsync();
                databases.Add(database);
                var crawls = await Seed.CrawlsAsync(database.DataSource, size / extent.EventsPerCrawl);
                foreach (var together in crawls.Chunk(extent.Crawls))
                {
                    await Seed.EventsAsync(database.DataSource, together, (long)together.Length * extent.EventsPerCrawl, Seed.BatchOfCrawl);
                }

                foreach (var (name, read) in new NpgsqlPeer(database.DataSource).Reads(crawls[crawls.Count / 2])
                    .Concat(new CrawlDataPeer(database.DataSource).Reads(crawls[crawls.Count / 2]).Take(1)))
                {
                    interleaved.Add($"{name} {size}", () => Reads.RequireAsync(read, extent.EventsPerCrawl));
                }
            }

            var measured = await interleaved.RunAsync(extent.Rounds);
            return [.. extent.Growth.Zip(measured.Chunk(2), (size, pair) => new GrowthRow { Events = size, ByHand = pair[0], List = pair[1] })];
        }
        finally
        {
            foreach (var database in databases)
            {
                await database.DisposeAsync();
            }
        }
    }
}

internal sealed record GrowthRow
{
    public required int Events { get; init; }

    public required Measured ByHand { get; init; }

    public required Measured List { get; init; }
}

using CrawlData.Benchmarks.Peers.Libraries;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Measures the same read from tables of different sizes. A larger table has more crawls, not larger ones.</summary>
internal static class Growth
{
    public static async Task<IReadOnlyList<GrowthRow>> RunAsync(BenchmarkScale scale)
    {
        var databases = new List<ThrowawayDatabase>();
        var rounds = new InterleavedRounds();
        try
        {
            foreach (var size in scale.GrowthTableSizes)
            {
                var database = await ThrowawayDatabase.StartAsync();
                databases.Add(database);
                var crawls = await Seed.InsertCrawlsAsync(database.DataSource, size / scale.EventsPerCrawl);
                foreach (var concurrent in crawls.Chunk(scale.Crawls))
                {
                    await Seed.GenerateEventsAsync(database.DataSource, concurrent, scale.EventsPerCrawl, Seed.WriterBatchPerCrawl);
                }

                foreach (var (name, read) in new NpgsqlPeer(database.DataSource).Reads(crawls[crawls.Count / 2])
                    .Concat(new CrawlDataPeer(database.DataSource).Reads(crawls[crawls.Count / 2]).Take(1)))
                {
                    rounds.Add($"{name} {size}", async () => RowCount.Require(scale.EventsPerCrawl, await read()));
                }
            }

            var measurements = await rounds.RunAsync(scale.Rounds);
            return [.. scale.GrowthTableSizes.Zip(measurements.Chunk(2), (size, pair) => new GrowthRow { Events = size, ByHand = pair[0], List = pair[1] })];
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

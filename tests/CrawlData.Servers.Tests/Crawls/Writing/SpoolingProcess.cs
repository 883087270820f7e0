using System.Globalization;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>A process that writes events with a spool until it is killed. It writes a line for each event that was acknowledged.</summary>
internal static class SpoolingProcess
{
    /// <param name="arguments">The connection string, the folder, the round, and the crawls.</param>
    public static async Task<int> RunAsync(string[] arguments)
    {
        if (arguments is not [var connectionString, var folder, var round, .. var crawls])
        {
            return 2;
        }

        await using var dataSource = NpgsqlDataSource.Create(connectionString);
        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource),
            new CrawlEventWriterOptions
            {
                SpoolDirectory = folder,
                Linger = TimeSpan.FromMilliseconds(5),
                BatchSize = 500,

                // Events of many rounds may wait. A full buffer would let the test wait for a server that it has stopped.
                Capacity = 10_000_000,
                CapacityBytes = int.MaxValue,
            });
        await using var output = new StreamWriter(Console.OpenStandardOutput());
        using var turn = new SemaphoreSlim(1);
        await Task.WhenAll(crawls.Select(crawl => Task.Run(() => WriteAsync(crawl))));
        return 0;

        async Task WriteAsync(string crawl)
        {
            var key = new EventKey(Guid.Parse(crawl), int.Parse(round, CultureInfo.InvariantCulture), 0);
            while (true)
            {
                await writer.WriteAsync(key.Crawl, new NewCrawlEvent { EventType = "step", Payload = key.ToPayload() });
                await turn.WaitAsync();
                await output.WriteLineAsync(key.ToString());
                await output.FlushAsync();
                turn.Release();
                key = key with { Number = key.Number + 1 };
            }
        }
    }

    /// <summary>An event: the round's process wrote it to a crawl as its number so.</summary>
    internal sealed record EventKey(Guid Crawl, int Round, int Number)
    {
        public Jsonb ToPayload() => Jsonb.From(new { round = Round, number = Number });

        public static EventKey Of(CrawlEvent crawlEvent)
        {
            var payload = crawlEvent.Payload.ToElement();
            return new(crawlEvent.CrawlId, payload.GetProperty("round").GetInt32(), payload.GetProperty("number").GetInt32());
        }

        public static EventKey? TryParse(string line) =>
            line.Split(' ') is [var crawl, var round, var number, "."]
                ? new(Guid.Parse(crawl), int.Parse(round, CultureInfo.InvariantCulture), int.Parse(number, CultureInfo.InvariantCulture))
                : null;

        // A process that is killed may leave half a line.
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Crawl} {Round} {Number} .");
    }
}

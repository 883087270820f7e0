using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal sealed class NpgsqlPeer(NpgsqlDataSource dataSource) : Peer
{
    public const string Reader = "Npgsql by hand";
    public const string Insert = "INSERT by hand";

    public override string Name => "Npgsql by hand";

    public override string Difference =>
        "One INSERT is one transaction and returns ids. It takes no lock, so concurrent writers to a crawl may commit ids out of order. "
        + "A retry after a lost COMMIT may store the events twice.";

    public override IReadOnlyList<Type> Packages => [typeof(NpgsqlDataSource)];

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) => [(Reader, () => HandWritten.ListEventsAsync(dataSource, crawl))];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events)
    {
        string[] types = [.. events.Select(one => one.EventType)];
        string[] payloads = [.. events.Select(one => one.Payload.ToString())];
        return
        [
            (Insert, events is [var only]
                ? () => HandWritten.InsertAsync(dataSource, crawl, only)
                : () => HandWritten.InsertManyAsync(dataSource, crawl, types, payloads)),
        ];
    }
}

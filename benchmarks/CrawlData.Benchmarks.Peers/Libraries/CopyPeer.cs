using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal sealed class CopyPeer(NpgsqlDataSource dataSource) : Peer
{
    public const string In = "COPY by hand, no ids";
    public const string Out = "COPY by hand";

    public override string Name => "Binary COPY by hand";

    public override string Difference =>
        "One COPY is one transaction. It returns no ids, and concurrent writers to a crawl may commit ids out of order. "
        + "A retry after a lost COMMIT may store the events twice.";

    public override IReadOnlyList<Type> Packages => [typeof(NpgsqlDataSource)];

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) => [(Out, () => HandWritten.CopyEventsOutAsync(dataSource, crawl))];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events) =>
        [(In, () => HandWritten.CopyEventsInAsync(dataSource, events, crawl))];
}

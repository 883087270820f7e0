using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal sealed class CrawlDataPeer(NpgsqlDataSource dataSource) : Peer
{
    public const string List = "CrawlData ListAsync";
    public const string Stream = "CrawlData StreamAsync";
    public const string Append = "CrawlData AppendAsync";

    private readonly CrawlEventRepository repository = new(dataSource);

    public override string Name => "CrawlData";

    public override string Difference =>
        "A call is one transaction and returns ids in the order of the events. Within a crawl, ids rise in commit order. "
        + "If the connection is lost during COMMIT, the outcome is verified, so the events are stored once or not at all.";

    public override IReadOnlyList<Type> Packages => [typeof(CrawlEventRepository)];

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) =>
    [
        (List, async () => (await repository.ListAsync(crawl, pageSize: CrawlEventRepository.MaxPageSize)).Items.Count),
        (Stream, async () => await repository.StreamAsync(crawl).CountAsync()),
    ];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events) =>
        [(Append, events is [var one] ? () => repository.AppendAsync(crawl, one) : () => repository.AppendAsync(crawl, events))];
}

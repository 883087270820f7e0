namespace CrawlData.Tests.Faults.Checker;

/// <summary>A client reads its own events of a crawl after a flush.</summary>
internal sealed class ReadOperation(int client, int writer, Guid crawl) : Operation(client)
{
    public int Writer => writer;

    public Guid Crawl => crawl;

    public IReadOnlySet<EventKey> Keys { get; set; } = new HashSet<EventKey>();

    protected override string Describe() => $"read its events of {Short(crawl)}: {Keys.Count}";
}

namespace CrawlData.Tests.Faults.Checker;

/// <summary>A client reads its own events of a crawl inside an ambient transaction, which may be older than they are.</summary>
internal sealed class AmbientReadOperation(int client, Guid crawl) : Operation(client)
{
    public Guid Crawl => crawl;

    public IReadOnlySet<EventKey> Keys { get; set; } = new HashSet<EventKey>();

    public override Outcome OutcomeOf(Exception error) => Outcome.Refused;

    protected override string Describe() => $"read its events of {Short(crawl)} in an ambient transaction: {Keys.Count}";
}

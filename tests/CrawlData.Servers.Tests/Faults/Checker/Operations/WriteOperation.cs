namespace CrawlData.Tests.Faults.Checker;

/// <summary>A write of an event into a writer's buffer. Acknowledged means that the writer has taken it.</summary>
internal sealed class WriteOperation(int client, int writer, Guid crawl, EventKey key) : Operation(client)
{
    public int Writer => writer;

    public Guid Crawl => crawl;

    public EventKey Key => key;

    /// <summary>Whether the server refuses the event.</summary>
    public bool IsRefused { get; init; }

    public override Outcome OutcomeOf(Exception error) => Outcome.Refused;

    protected override string Describe() => $"write {key} to {Short(crawl)} into writer {writer}";
}

namespace CrawlData.Tests.Faults.Checker;

/// <summary>A flush of a writer, or its disposal. Acknowledged means that everything written before is stored.</summary>
internal sealed class FlushOperation(int client, int writer, Guid? crawl = null, bool disposes = false) : Operation(client)
{
    public int Writer => writer;

    /// <summary>The crawl that was flushed; null for all crawls.</summary>
    public Guid? Crawl => crawl;

    public bool Disposes => disposes;

    /// <summary>When the writer had got it. Before, a take of another client may come first.</summary>
    public TimeSpan Registered
    {
        get => field == default ? Invoked : field;
        set;
    }

    public override Outcome OutcomeOf(Exception error) => Outcome.Refused;

    protected override string Describe() => $"{(disposes ? "dispose" : "flush")} writer {writer}{(crawl is { } one ? $" for {Short(one)}" : "")}";
}

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Takes the unstored events out of a writer.</summary>
internal sealed class TakeOperation(int client, int writer, Guid? crawl = null) : Operation(client)
{
    public int Writer => writer;

    /// <summary>The crawl whose events were taken; null for all crawls.</summary>
    public Guid? Crawl => crawl;

    /// <summary>The events that were handed out, and their errors.</summary>
    public IReadOnlyList<(Guid Crawl, EventKey Key, Exception Error)> Taken { get; set; } = [];

    protected override string Describe()
    {
        var events = Taken.Select(taken => $"{taken.Key} to {Short(taken.Crawl)}: {taken.Error.GetType().Name} {ServerErrors.Describe(taken.Error)}");
        return $"take{(crawl is { } one ? $" {Short(one)}" : "")} from writer {writer} [{List(events, most: 3)}]";
    }
}

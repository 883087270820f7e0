namespace CrawlData.Tests.Faults.Checker;

/// <summary>Follows one crawl until its run has ended, or all crawls until an event is delivered that was appended last.</summary>
internal sealed class FollowOperation(int client, Guid? crawl) : Operation(client)
{
    /// <summary>The crawl; null for all crawls.</summary>
    public Guid? Crawl => crawl;

    public List<StoredRow> Delivered { get; } = [];

    protected override string Describe() => $"follow {(crawl is { } one ? Short(one) : "all crawls")}: {Delivered.Count} events";
}

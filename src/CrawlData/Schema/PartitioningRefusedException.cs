namespace CrawlData.Schema;

/// <summary>Thrown when <c>crawl_events</c> has something that <see cref="EventPartitioner"/> would not carry over. Nothing was changed.</summary>
public sealed class PartitioningRefusedException : CrawlDataException
{
    internal PartitioningRefusedException(IReadOnlyList<string> obstacles)
        : base($"crawl_events cannot be partitioned with: {string.Join("; ", obstacles)}. Drop each before, and make it again after.") =>
        Obstacles = obstacles;

    /// <summary>Gets what is in the way, as PostgreSQL describes it: triggers, rules, views, and other objects that refer to the table.</summary>
    public IReadOnlyList<string> Obstacles { get; }
}

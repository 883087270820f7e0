namespace CrawlData.Schema;

/// <summary>Thrown when <c>crawl_events</c> has something that <see cref="EventPartitioner"/> would not carry over, or when Citus has distributed it. Nothing
/// was changed.</summary>
public sealed class PartitioningRefusedException : CrawlDataException
{
    internal PartitioningRefusedException(IReadOnlyList<string> obstacles)
        : base($"crawl_events cannot be partitioned with: {string.Join("; ", obstacles)}. Drop each before, and make it again after.") =>
        Obstacles = obstacles;

    internal PartitioningRefusedException()
        : base("crawl_events cannot be partitioned, because Citus has distributed it over its nodes.") => Obstacles = [];

    /// <summary>Gets what is in the way, as PostgreSQL describes it: triggers, rules, views, and other objects that refer to the table. Empty on
    /// Citus.</summary>
    public IReadOnlyList<string> Obstacles { get; }
}

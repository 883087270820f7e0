namespace CrawlData.Retention;

/// <summary>How far a sweep has come, or what it came to.</summary>
public sealed record SweepTotal
{
    /// <summary>Expired artifacts that were handed to the deleter.</summary>
    public long Expired { get; init; }

    /// <summary>The size of those, in bytes.</summary>
    public long ExpiredBytes { get; init; }

    /// <summary>Artifacts that the deleter acknowledged, and which are marked as deleted.</summary>
    public long Deleted { get; init; }

    /// <summary>The size of those, in bytes.</summary>
    public long DeletedBytes { get; init; }
}

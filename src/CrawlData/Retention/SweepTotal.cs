namespace CrawlData.Retention;

/// <summary>The totals of a sweep, so far or at its end.</summary>
public sealed record SweepTotal
{
    /// <summary>The number of expired artifacts that were passed to the store.</summary>
    public long Expired { get; init; }

    /// <summary>The size of the expired artifacts, in bytes.</summary>
    public long ExpiredBytes { get; init; }

    /// <summary>The number of artifacts that the store returned, and that are marked as deleted.</summary>
    public long Deleted { get; init; }

    /// <summary>The size of the deleted artifacts, in bytes.</summary>
    public long DeletedBytes { get; init; }
}

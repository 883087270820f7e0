namespace CrawlData.Audits;

/// <summary>How many artifacts there are, and how large they are together.</summary>
public readonly record struct ArtifactTotal
{
    /// <summary>How many.</summary>
    public long Count { get; init; }

    /// <summary>Their size together, in bytes; at most <see cref="long.MaxValue"/>.</summary>
    public long SizeBytes { get; init; }
}

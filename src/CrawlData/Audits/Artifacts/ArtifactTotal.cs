namespace CrawlData.Audits;

/// <summary>The number of artifacts, and their total size.</summary>
public readonly record struct ArtifactTotal
{
    /// <summary>The number of artifacts.</summary>
    public long Count { get; init; }

    /// <summary>The total size of the artifacts, in bytes. A total above <see cref="long.MaxValue"/> is given as that value.</summary>
    public long SizeBytes { get; init; }
}

namespace CrawlData.Audits;

/// <summary>A row of <c>artifacts</c>: what was kept of a page, and where it lies. All times are UTC (offset zero), in microseconds.</summary>
public sealed record Artifact
{
    /// <summary>The artifact's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The session that it belongs to.</summary>
    public required Guid SessionId { get; init; }

    /// <summary>The page that it was made of.</summary>
    public required Guid PageId { get; init; }

    /// <summary>What it is.</summary>
    public required ArtifactType Type { get; init; }

    /// <summary>Where it lies, outside the database.</summary>
    public required string StorageUri { get; init; }

    /// <summary>How large it is, in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>When it was stored.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>From when on it may be deleted from its storage; null when it is kept.</summary>
    public DateTimeOffset? RetentionUntil { get; init; }

    /// <summary>When it was marked as deleted from its storage; null while it lies there.</summary>
    public DateTimeOffset? DeletedAt { get; init; }

    /// <summary>Its checksum, as the auditor writes it.</summary>
    public string? Checksum { get; init; }
}

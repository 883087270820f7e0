namespace CrawlData.Retention;

/// <summary>An artifact whose time of retention has passed and which still lies in its storage.</summary>
public sealed record ExpiredArtifact
{
    /// <summary>The artifact's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The session that it belongs to.</summary>
    public required Guid SessionId { get; init; }

    /// <summary>Where it lies.</summary>
    public required string StorageUri { get; init; }

    /// <summary>Its checksum, as your auditing program wrote it.</summary>
    public string? Checksum { get; init; }

    /// <summary>How large it is, in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Since when it has been expired: UTC (offset zero), in microseconds.</summary>
    public required DateTimeOffset RetentionUntil { get; init; }
}

namespace CrawlData.Audits;

/// <summary>A row of <c>artifacts</c>: the metadata of a file that an audit made of a page. The file is stored outside the database. All times are in UTC
/// (offset zero), to the microsecond.</summary>
public sealed record Artifact
{
    /// <summary>The artifact's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The id of the artifact's session.</summary>
    public required Guid SessionId { get; init; }

    /// <summary>The id of the artifact's page.</summary>
    public required Guid PageId { get; init; }

    /// <summary>The type of the artifact.</summary>
    public required ArtifactType Type { get; init; }

    /// <summary>The location of the file in its storage, outside the database.</summary>
    public required string StorageUri { get; init; }

    /// <summary>The size of the file, in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>The time at which the artifact was created.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The time at which the artifact expires. From then on a sweep may delete the file. Null when it is kept forever.</summary>
    public DateTimeOffset? RetentionUntil { get; init; }

    /// <summary>The time at which the artifact was marked as deleted from its storage; null when it is not.</summary>
    public DateTimeOffset? DeletedAt { get; init; }

    /// <summary>The checksum of the file, as your auditing program wrote it; null when none was given.</summary>
    public string? Checksum { get; init; }
}

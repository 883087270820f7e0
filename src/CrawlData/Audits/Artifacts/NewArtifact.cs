using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>An artifact to insert: the metadata of a file and its location, never its content.</summary>
/// <remarks>Each property is checked when it is set. A time may have any offset. It is stored in UTC and truncated to microseconds.</remarks>
public sealed record NewArtifact
{
    /// <summary>The artifact's id.</summary>
    /// <value>The default is null: the library makes a new UUID version 7.</value>
    public Guid? Id { get; init; }

    /// <summary>The id of the page that the file was made of. The page must belong to the same session.</summary>
    public required Guid PageId { get; init; }

    /// <summary>The type of the artifact.</summary>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public required ArtifactType Type { get; init => field = EnumLabels.Require(value, "type"); }

    /// <summary>The location of the file in its storage, outside the database: any URI or name that the application's artifact store understands.</summary>
    /// <exception cref="InvalidValueException">The value is empty, or holds U+0000 or a lone surrogate.</exception>
    public required string StorageUri
    {
        get;
        init => field = CrawledText.Require(value, "storage_uri") is { Length: > 0 } uri ? uri : throw new InvalidValueException("storage_uri", "is empty");
    }

    /// <summary>The size of the file, in bytes. The least is 0.</summary>
    /// <exception cref="InvalidValueException">The value is negative.</exception>
    public required long SizeBytes
    {
        get;
        init => field = value >= 0 ? value : throw new InvalidValueException("size_bytes", $"is {value}; the least is 0");
    }

    /// <summary>The checksum of the file, as your auditing program wrote it.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? Checksum { get; init => field = value is null ? null : CrawledText.Require(value, "checksum"); }

    /// <summary>The time at which the artifact was created, at the latest in the year 9899 (UTC).</summary>
    /// <value>The default is null: the database's clock at the start of the transaction that stores the artifact.</value>
    /// <exception cref="InvalidValueException">The value is after the year 9899, or is <see cref="DateTimeOffset.MinValue"/>.</exception>
    public DateTimeOffset? CreatedAt
    {
        get => CreatedInstant?.ToDateTimeOffset();
        init => CreatedInstant = value is { UtcDateTime.Year: >= 9_900 }
            ? throw new InvalidValueException("created_at", "is after the year 9899; the end of a long retention would be after the last date")
            : Timestamps.ToInstant(value, "created_at");
    }

    /// <summary>The time at which the artifact expires.</summary>
    /// <value>The default is null: the artifact expires after the duration of its session's retention policy, counted from its creation.
    /// <see cref="RetentionDurations"/> has the durations.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? RetentionUntil
    {
        get => RetentionInstant?.ToDateTimeOffset();
        init => RetentionInstant = Timestamps.ToInstant(value, "retention_until");
    }

    /// <summary>Whether the artifact never expires, whatever the session's retention policy. Do not set <see cref="RetentionUntil"/>
    /// too.</summary>
    /// <value>The default is false.</value>
    public bool KeepForever { get; init; }

    /// <summary>As <see cref="RetentionUntil"/>. An import may set a time that <see cref="DateTimeOffset"/> cannot hold.</summary>
    internal Instant? RetentionInstant { get; init; }

    /// <summary>As <see cref="CreatedAt"/>. An import may set a time that <see cref="DateTimeOffset"/> cannot hold.</summary>
    internal Instant? CreatedInstant { get; init; }
}

using CrawlData.Storage;
namespace CrawlData.Audits;

/// <summary>An artifact to be inserted: metadata and the URI where it lies, never the thing itself.</summary>
/// <remarks>Each property is checked where it is set and throws <see cref="InvalidValueException"/>, which names the column. Times may have any offset; they are
/// kept in UTC, cut to microseconds, and may be neither <see cref="DateTimeOffset.MinValue"/> nor <see cref="DateTimeOffset.MaxValue"/>.</remarks>
public sealed record NewArtifact
{
    /// <summary>The artifact's id; a new UUID version 7 when null.</summary>
    public Guid? Id { get; init; }

    /// <summary>The page that it was made of, of the same session.</summary>
    public required Guid PageId { get; init; }

    /// <summary>What it is.</summary>
    public required ArtifactType Type { get; init => field = EnumLabels.Require(value, "type"); }

    /// <summary>Where it lies, outside the database: any URI or name that its deleter understands, not empty.</summary>
    public required string StorageUri
    {
        get;
        init => field = CrawledText.Require(value, "storage_uri") is { Length: > 0 } uri ? uri : throw new InvalidValueException("storage_uri", "is empty");
    }

    /// <summary>How large it is, in bytes; not negative.</summary>
    public required long SizeBytes
    {
        get;
        init => field = value >= 0 ? value : throw new InvalidValueException("size_bytes", $"is {value}; the least is 0");
    }

    /// <summary>Its checksum, in any form.</summary>
    public string? Checksum { get; init => field = value is null ? null : CrawledText.Require(value, "checksum"); }

    /// <summary>When it was stored, before the year 9900; the database's clock at the start of the transaction when null.</summary>
    public DateTimeOffset? CreatedAt
    {
        get;
        init => field = value is { UtcDateTime.Year: >= 9_900 }
            ? throw new InvalidValueException("created_at", "is after the year 9899, and there are no dates for as long as it may be kept")
            : Timestamps.Require(value, "created_at");
    }

    /// <summary>From when on it may be deleted from its storage. When null, the session's retention policy says: <see cref="CreatedAt"/> and the time of <see
    /// cref="RetentionDurations"/>.</summary>
    public DateTimeOffset? RetentionUntil { get; init => field = Timestamps.Require(value, "retention_until"); }

    /// <summary>Whether it is kept whatever the session's policy says: its <c>retention_until</c> is null. Not beside <see cref="RetentionUntil"/>.</summary>
    public bool KeepForever { get; init; }
}

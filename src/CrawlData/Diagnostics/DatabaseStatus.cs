using System.Text.Json;
using System.Text.Json.Serialization;
using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Diagnostics;

/// <summary>How a database stands at a moment. All times are UTC.</summary>
public sealed record DatabaseStatus
{
    /// <summary>When it was read, by the server's clock.</summary>
    public required DateTimeOffset ReadAt { get; init; }

    /// <summary>The server's version, as it says it: <c>18.4</c>, say.</summary>
    public required string ServerVersion { get; init; }

    /// <summary>Whether the server is a standby, which may lag behind its primary.</summary>
    public required bool IsStandby { get; init; }

    /// <summary>The schema that the search path begins with, where the tables are.</summary>
    public required string Schema { get; init; }

    /// <summary>The scripts that have run or are pending, by name; null when the role may not read the journal.</summary>
    public required IReadOnlyList<ScriptStatus>? Scripts { get; init; }

    /// <summary>The tables of crawls and audits.</summary>
    public required IReadOnlyList<TableStatus> Tables { get; init; }

    /// <summary>How many runs are in each status, counted.</summary>
    public required IReadOnlyDictionary<CrawlStatus, long> Runs { get; init; }

    /// <summary>The oldest run that is pending, and the oldest that is running; none of a status that no run is in.</summary>
    public required IReadOnlyDictionary<CrawlStatus, UnfinishedWork> OldestRuns { get; init; }

    /// <summary>How many audit sessions are in each status, counted.</summary>
    public required IReadOnlyDictionary<AuditSessionStatus, long> Sessions { get; init; }

    /// <summary>The oldest audit session that is queued, and the oldest that is running; none of a status that no session is in.</summary>
    public required IReadOnlyDictionary<AuditSessionStatus, UnfinishedWork> OldestSessions { get; init; }

    /// <summary>The artifacts whose time of retention has passed and which are not marked as deleted.</summary>
    public required ArtifactTotal ExpiredArtifacts { get; init; }

    /// <summary>When the first of <see cref="ExpiredArtifacts"/> expired; null when there is none.</summary>
    public required DateTimeOffset? OldestExpiry { get; init; }

    /// <summary>The highest id of the events of all crawls; null when there is none.</summary>
    public required long? NewestEventId { get; init; }
}

/// <summary>A script of the schema.</summary>
public sealed record ScriptStatus
{
    /// <summary>Its name, as in <c>001_crawl_schema.sql</c>.</summary>
    public required string Script { get; init; }

    /// <summary>When it ran, in UTC; null when it is pending.</summary>
    public required DateTimeOffset? AppliedAt { get; init; }
}

/// <summary>What a table takes.</summary>
public sealed record TableStatus
{
    /// <summary>The table's name.</summary>
    public required string Table { get; init; }

    /// <summary>Its rows: an estimate, that of the last vacuum or analyze; null before the first.</summary>
    public required long? EstimatedRows { get; init; }

    /// <summary>Its size on disk, in bytes, with its indexes and what is stored out of line.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>The size of its indexes, in bytes.</summary>
    public required long IndexBytes { get; init; }
}

/// <summary>A run or an audit session that has not ended.</summary>
public sealed record UnfinishedWork
{
    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>When it was created, in UTC.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>How long before <see cref="DatabaseStatus.ReadAt"/> that was. In JSON, seconds.</summary>
    [JsonPropertyName("age_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public required TimeSpan Age { get; init; }
}

/// <summary>Writes a time as seconds.</summary>
internal sealed class SecondsConverter : JsonConverter<TimeSpan>
{
    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => TimeSpan.FromSeconds(reader.GetDouble());

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteNumberValue(value.TotalSeconds);
}

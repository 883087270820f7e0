using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;

namespace CrawlData.Recordings;

/// <summary>The format of recordings: NDJSON, with a line <c>{"table": name, "row": {column: value}}</c> for each row. The order of the rows satisfies the
/// foreign keys.</summary>
internal static class RecordingFormat
{
    /// <summary>The longest line, in bytes.</summary>
    public const int LargestLineBytes = 64 * 1024 * 1024;

    /// <summary>The most attempts of a session.</summary>
    public const int MostAttempts = 1_000_000;

    public const string CrawlRuns = "crawl_runs";

    public const string CrawlEvents = "crawl_events";

    public const string AuditSessions = "audit_sessions";

    public const string AuditPages = "audit_pages";

    public const string Artifacts = "artifacts";

    public const string CrawlLogs = "crawl_logs";

    public static readonly string[] CrawlTables = [CrawlRuns, CrawlEvents];

    public static readonly string[] SessionTables = [AuditSessions, AuditPages, Artifacts, CrawlLogs];

    public static readonly string[] Tables = [.. CrawlTables, .. SessionTables];

    /// <summary>Gets the names of a table's columns, in the order of an export.</summary>
    public static IEnumerable<string> ColumnsOf(string table)
    {
        var columns = table switch
        {
            CrawlRuns => CrawlRunRepository.Columns,
            CrawlEvents => CrawlEventStatements.Columns,
            AuditSessions => AuditSessionRepository.Columns,
            AuditPages => AuditPageRepository.Columns,
            Artifacts => ArtifactRepository.Columns,
            CrawlLogs => CrawlLogStatements.Columns,
            _ => throw new ArgumentOutOfRangeException(nameof(table)),
        };
        return columns.Split(',', StringSplitOptions.TrimEntries).Select(column => column.Replace("::text", ""));
    }

    /// <summary>The options for rows. They refuse unknown columns, duplicate columns, and null where the column is not nullable.</summary>
    public static JsonSerializerOptions Rows { get; } = new()
    {
        AllowDuplicateProperties = false,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        MaxDepth = JsonbOptions.LargestMaxDepth + 2,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new InstantConverter(), new TimeConverter() },
        TypeInfoResolver = RecordingJsonContext.Default,
    };

    /// <summary>The metadata of a line that is read. Lines may have duplicate properties, because a payload may have some; PostgreSQL keeps the last of
    /// them.</summary>
    public static JsonTypeInfo<Line<JsonElement>> LineInfo { get; } =
        (JsonTypeInfo<Line<JsonElement>>)new JsonSerializerOptions(Rows) { AllowDuplicateProperties = true }.GetTypeInfo(typeof(Line<JsonElement>));

    /// <summary>A line of a recording.</summary>
    /// <typeparam name="T">The row to write, or the element that was read.</typeparam>
    public sealed record Line<T>
    {
        public required string Table { get; init; }

        public required T Row { get; init; }
    }

    /// <summary>Deserializes a row.</summary>
    /// <exception cref="RecordingException">The element is not a row of the table.</exception>
    public static T ToRow<T>(JsonElement element, string table, long line)
    {
        try
        {
            return element.Deserialize((JsonTypeInfo<T>)Rows.GetTypeInfo(typeof(T))) ?? throw new JsonException();
        }
        catch (Exception exception) when (exception is JsonException or InvalidValueException { Field: Jsonb.Field })
        {
            // The cause is left out, because its message may quote the line.
            throw new RecordingException(line, RowErrors.Explain(element, Rows.GetTypeInfo(typeof(T)), table));
        }
    }

    /// <summary>A row of <c>crawl_runs</c> in a recording. A column without a default is required.</summary>
    public sealed record RunRow
    {
        public Guid? Id { get; init; }

        public CrawlStatus Status { get; init; }

        public required string AppPackage { get; init; }

        public Jsonb? DeviceConfig { get; init; }

        // With init, generated code would set 0 where the column is missing.
        public int MaxSteps { get; set; } = 100;

        public string? Goal { get; init; }

        public Instant? CreatedAt { get; init; }

        public Instant? StartedAt { get; init; }

        public Instant? CompletedAt { get; init; }

        public Instant? CancelledAt { get; init; }

        public string? ErrorMessage { get; init; }

        /// <summary>Makes the run. It checks the values as for a run that is inserted.</summary>
        /// <exception cref="InvalidValueException">A column does not accept its value.</exception>
        public NewCrawlRun ToRun(Guid id) => new()
        {
            Id = id,
            Status = Status,
            AppPackage = AppPackage,
            DeviceConfig = DeviceConfig,
            MaxSteps = MaxSteps,
            Goal = Goal,
            CreatedInstant = CreatedAt,
            StartedInstant = StartedAt,
            CompletedInstant = CompletedAt,
            CancelledInstant = CancelledAt,
            ErrorMessage = ErrorMessage,
        };
    }

    /// <summary>A row of <c>crawl_events</c> in a recording. It has no id; the events of a crawl are in order.</summary>
    public readonly record struct EventRow
    {
        public required Guid CrawlId { get; init; }

        public required string EventType { get; init; }

        public required Jsonb Payload { get; init; }

        public Instant? CreatedAt { get; init; }

        /// <summary>Makes the event.</summary>
        /// <exception cref="InvalidValueException">A column does not accept its value.</exception>
        public NewCrawlEvent ToEvent() => new() { EventType = EventType, Payload = Payload, CreatedInstant = CreatedAt };
    }

    /// <summary>A row of <c>audit_sessions</c> in a recording. A column without a default is required.</summary>
    public sealed record SessionRow
    {
        public Guid? Id { get; init; }

        public required string Url { get; init; }

        public required AuditSessionStatus Status { get; init; }

        public Instant? CreatedAt { get; init; }

        public string? FinalUrl { get; init; }

        public required AuditMode Mode { get; init; }

        public required RetentionPolicy RetentionPolicy { get; init; }

        public int Attempts { get; init => field = RequireAttempts(value); }

        public string? ErrorSummary { get; init; }

        public required string CrawlPolicyVersion { get; init; }

        public required Jsonb ConfigSnapshot { get; init; }

        public bool LowConfidence { get; init; }

        public string? PdpUrl { get; init; }

        // Each attempt adds 1. A session at the largest integer could never be claimed.
        private static int RequireAttempts(int value) => value switch
        {
            < 0 => throw new InvalidValueException("attempts", $"is {value}; the least is 0"),
            > MostAttempts => throw new InvalidValueException("attempts", $"is {value}; the most is {MostAttempts}"),
            _ => value,
        };

        /// <summary>Makes the session without its time of creation. It checks the values as for a session that is enqueued.</summary>
        /// <exception cref="InvalidValueException">A column does not accept its value.</exception>
        public AuditSession ToSession(Guid id)
        {
            var enqueued = new NewAuditSession { Url = Url, CrawlPolicyVersion = CrawlPolicyVersion, ConfigSnapshot = ConfigSnapshot };
            return new AuditSession
            {
                Id = id,
                Url = enqueued.Url,
                Status = Status,
                CreatedAt = default,
                FinalUrl = FinalUrl,
                Mode = Mode,
                RetentionPolicy = RetentionPolicy,
                Attempts = Attempts,
                ErrorSummary = ErrorSummary,
                CrawlPolicyVersion = CrawlPolicyVersion,
                ConfigSnapshot = ConfigSnapshot,
                LowConfidence = LowConfidence,
                PdpUrl = PdpUrl,
            };
        }
    }

    /// <summary>A row of <c>audit_pages</c> in a recording.</summary>
    public sealed record PageRow
    {
        public Guid? Id { get; init; }

        public required Guid SessionId { get; init; }

        public required PageType PageType { get; init; }

        public required Viewport Viewport { get; init; }

        public required PageStatus Status { get; init; }

        public required Jsonb LoadTimings { get; init; }

        public required Jsonb LowConfidenceReasons { get; init; }
    }

    /// <summary>A row of <c>artifacts</c> in a recording. It has its own time of retention, whatever the session's retention policy is.</summary>
    public sealed record ArtifactRow
    {
        public Guid? Id { get; init; }

        public required Guid SessionId { get; init; }

        public required Guid PageId { get; init; }

        public required ArtifactType Type { get; init; }

        public required string StorageUri { get; init; }

        public required long SizeBytes { get; init; }

        public Instant? CreatedAt { get; init; }

        public Instant? RetentionUntil { get; init; }

        public Instant? DeletedAt { get; init; }

        public string? Checksum { get; init; }
    }

    /// <summary>A row of <c>crawl_logs</c> in a recording. It has no id; the lines of a session are in order.</summary>
    public sealed record LogRow
    {
        public required Guid SessionId { get; init; }

        public required CrawlLogLevel Level { get; init; }

        public required CrawlLogEventType EventType { get; init; }

        public required string Message { get; init; }

        public required Jsonb Details { get; init; }

        public Instant? Timestamp { get; init; }
    }
}

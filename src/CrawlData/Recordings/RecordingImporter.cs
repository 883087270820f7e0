using System.Text.Json;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>Reads recordings of crawls and audits into the database: NDJSON, one <c>{"table": name, "row": {column: value}}</c> a line.</summary>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
public sealed class RecordingImporter(NpgsqlDataSource dataSource)
{
    /// <summary>The longest line, in bytes.</summary>
    internal const int LargestLineBytes = 64 * 1024 * 1024;

    private const int BatchRows = 1_000;
    private const long BatchBytes = 4 * 1024 * 1024;

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly Tables tables = new(dataSource);

    /// <summary>Imports a recording of any length in one transaction, all or nothing. Events and log lines keep their order and get new ids; artifacts keep their
    /// times of retention; empty lines are passed over.</summary>
    /// <param name="recording">NDJSON in UTF-8, read to its end and left open; a line has at most 64 MiB.</param>
    /// <param name="options">Whether to make new ids and to repair; neither when null.</param>
    /// <param name="progress">Told every thousand rows or so; may be null.</param>
    /// <param name="cancellationToken">Cancels; nothing is stored then.</param>
    /// <exception cref="RecordingException">A line cannot be imported: it is malformed, of another table, a value is refused, an id is taken, or what the row
    /// belongs to does not come before it in the recording.</exception>
    public Task<RecordingImportResult> ImportAsync(
        Stream recording, RecordingImportOptions? options = null, IProgress<RecordingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        options ??= new RecordingImportOptions();
        return dataSource.InTransactionAsync(
            (_, transaction) => new Import(tables, new NdjsonReader(recording, LargestLineBytes), transaction, options, progress).RunAsync(cancellationToken),
            cancellationToken);
    }

    private sealed class Tables(NpgsqlDataSource dataSource)
    {
        public CrawlRunRepository Runs { get; } = new(dataSource);

        public CrawlEventRepository Events { get; } = new(dataSource);

        public AuditSessionRepository Sessions { get; } = new(dataSource);

        public AuditPageRepository Pages { get; } = new(dataSource);

        public ArtifactRepository Artifacts { get; } = new(dataSource);

        public CrawlLogRepository Logs { get; } = new(dataSource);
    }

    private sealed class Import(
        Tables tables, NdjsonReader lines, NpgsqlTransaction transaction, RecordingImportOptions options, IProgress<RecordingProgress>? progress)
    {
        private readonly JsonbOptions lineOptions = JsonbOptions.ForLine(LargestLineBytes, options.Repair);
        private readonly List<Guid> crawlIds = [];
        private readonly List<Guid> sessionIds = [];

        // By the ids in the recording: runs and sessions as they are stored, and pages with their session as it is stored.
        private readonly Dictionary<Guid, Guid> crawls = [];
        private readonly Dictionary<Guid, Guid> sessions = [];
        private readonly Dictionary<Guid, (Guid Id, Guid SessionId)> pages = [];

        private readonly List<(Guid CrawlId, NewCrawlEvent Event)> eventBatch = [];
        private readonly List<(Guid SessionId, NewAuditPage Page)> pageBatch = [];
        private readonly List<(Guid SessionId, NewArtifact Artifact, DateTimeOffset? DeletedAt)> artifactBatch = [];
        private readonly List<(Guid SessionId, NewCrawlLog Line)> logBatch = [];
        private long batchBytes;
        private long batchLine = 1;
        private RecordingProgress total = new();

        private long Line => lines.Line;

        public async Task<RecordingImportResult> RunAsync(CancellationToken cancellationToken)
        {
            await foreach (var bytes in lines.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                await AddLineAsync(bytes, cancellationToken).ConfigureAwait(false);
            }

            await FlushAsync(cancellationToken).ConfigureAwait(false);
            return new RecordingImportResult { CrawlIds = crawlIds, SessionIds = sessionIds, Total = total };
        }

        private async ValueTask AddLineAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            try
            {
                await AddAsync(Parse(bytes.Span), cancellationToken).ConfigureAwait(false);
                batchBytes += bytes.Length;
            }
            catch (Exception exception) when (exception is InvalidValueException or RowAlreadyExistsException)
            {
                throw new RecordingException(Line, exception.Message, exception);
            }

            if (eventBatch.Count + pageBatch.Count + artifactBatch.Count + logBatch.Count >= BatchRows || batchBytes >= BatchBytes)
            {
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        private async ValueTask AddAsync(RecordingFormat.Line<JsonElement> parsed, CancellationToken cancellationToken)
        {
            switch (parsed.Table)
            {
                case RecordingFormat.CrawlRuns:
                    await AddRunAsync(ToRow<NewCrawlRun>(parsed), cancellationToken).ConfigureAwait(false);
                    break;
                case RecordingFormat.CrawlEvents:
                    AddEvent(ToRow<RecordingFormat.EventRow>(parsed));
                    break;
                case RecordingFormat.AuditSessions:
                    await AddSessionAsync(ToRow<RecordingFormat.SessionRow>(parsed), cancellationToken).ConfigureAwait(false);
                    break;
                case RecordingFormat.AuditPages:
                    AddPage(ToRow<RecordingFormat.PageRow>(parsed));
                    break;
                case RecordingFormat.Artifacts:
                    AddArtifact(ToRow<RecordingFormat.ArtifactRow>(parsed));
                    break;
                case RecordingFormat.CrawlLogs:
                    AddLog(ToRow<RecordingFormat.LogRow>(parsed));
                    break;
                default:
                    throw new RecordingException(Line, "is of a table that recordings do not have.");
            }
        }

        private RecordingFormat.Line<JsonElement> Parse(ReadOnlySpan<byte> bytes)
        {
            try
            {
                return Jsonb.Parse(bytes, lineOptions).To<RecordingFormat.Line<JsonElement>>(RecordingFormat.Lines) ?? throw new JsonException();
            }
            catch (JsonException)
            {
                // Without the cause: its message may quote the line.
                throw new RecordingException(Line, "is not of the form {\"table\": name, \"row\": {column: value}}.");
            }
        }

        private T ToRow<T>(RecordingFormat.Line<JsonElement> parsed) => RecordingFormat.ToRow<T>(parsed.Row, parsed.Table, Line);

        private async Task AddRunAsync(NewCrawlRun run, CancellationToken cancellationToken)
        {
            var id = NewId(run.Id);
            Remember(crawls, run.Id, id, "Crawl");
            await tables.Runs.InsertAsync(run with { Id = id }, transaction, cancellationToken).ConfigureAwait(false);
            crawlIds.Add(id);
            total = total with { Runs = total.Runs + 1 };
        }

        private async Task AddSessionAsync(RecordingFormat.SessionRow row, CancellationToken cancellationToken)
        {
            var id = NewId(row.Id);
            Remember(sessions, row.Id, id, "Session");
            await tables.Sessions.InsertAsync([row.ToSession(id)], transaction, cancellationToken).ConfigureAwait(false);
            sessionIds.Add(id);
            total = total with { Sessions = total.Sessions + 1 };
        }

        private void AddEvent(RecordingFormat.EventRow row)
        {
            var crawlEvent = new NewCrawlEvent { EventType = row.EventType, Payload = row.Payload, CreatedAt = row.CreatedAt };
            eventBatch.Add((Parent(crawls, row.CrawlId, "crawl"), crawlEvent));
        }

        private void AddPage(RecordingFormat.PageRow row)
        {
            var (id, sessionId) = (NewId(row.Id), Parent(sessions, row.SessionId, "session"));
            Remember(pages, row.Id, (id, sessionId), "Page");
            pageBatch.Add((sessionId, new NewAuditPage
            {
                Id = id,
                PageType = row.PageType,
                Viewport = row.Viewport,
                Status = row.Status,
                LoadTimings = row.LoadTimings,
                LowConfidenceReasons = row.LowConfidenceReasons,
            }));
        }

        private void AddArtifact(RecordingFormat.ArtifactRow row)
        {
            var sessionId = Parent(sessions, row.SessionId, "session");
            var page = Parent(pages, row.PageId, "page");
            if (page.SessionId != sessionId)
            {
                throw new RecordingException(Line, $"Page {row.PageId} is of another session.");
            }

            var artifact = new NewArtifact
            {
                Id = NewId(row.Id),
                PageId = page.Id,
                Type = row.Type,
                StorageUri = row.StorageUri,
                SizeBytes = row.SizeBytes,
                Checksum = row.Checksum,
                CreatedAt = row.CreatedAt,
                RetentionUntil = row.RetentionUntil,
                KeepForever = row.RetentionUntil is null,
            };
            artifactBatch.Add((sessionId, artifact, row.DeletedAt));
        }

        private void AddLog(RecordingFormat.LogRow row)
        {
            var logLine = new NewCrawlLog { Level = row.Level, EventType = row.EventType, Message = row.Message, Details = row.Details, Timestamp = row.Timestamp };
            logBatch.Add((Parent(sessions, row.SessionId, "session"), logLine));
        }

        private Guid NewId(Guid? recorded) => options.NewIds || recorded is null ? Guid.CreateVersion7() : recorded.Value;

        private void Remember<T>(Dictionary<Guid, T> stored, Guid? recorded, T value, string noun)
        {
            if (recorded is { } id && !stored.TryAdd(id, value))
            {
                throw new RecordingException(Line, $"{noun} {id} stands in the recording twice.");
            }
        }

        private T Parent<T>(Dictionary<Guid, T> stored, Guid recorded, string noun) => stored.TryGetValue(recorded, out var value)
            ? value
            : throw new RecordingException(Line, $"There is no {noun} {recorded} in the recording before this line.");

        private async Task FlushAsync(CancellationToken cancellationToken)
        {
            try
            {
                await tables.Events.AppendAsync(eventBatch, transaction, cancellationToken).ConfigureAwait(false);
                await tables.Pages.InsertAsync(pageBatch, transaction, cancellationToken).ConfigureAwait(false);
                await tables.Artifacts.InsertAsync(artifactBatch, transaction, cancellationToken).ConfigureAwait(false);
                await tables.Logs.AppendAsync(logBatch, transaction, cancellationToken).ConfigureAwait(false);
            }
            catch (RowAlreadyExistsException exception)
            {
                throw new RecordingException(batchLine, $"{exception.Message} It stands between here and line {Line}.", exception);
            }

            total = total with
            {
                Bytes = lines.BytesRead,
                Events = total.Events + eventBatch.Count,
                Pages = total.Pages + pageBatch.Count,
                Artifacts = total.Artifacts + artifactBatch.Count,
                Logs = total.Logs + logBatch.Count,
            };
            eventBatch.Clear();
            pageBatch.Clear();
            artifactBatch.Clear();
            logBatch.Clear();
            (batchBytes, batchLine) = (0, Line + 1);
            progress?.Report(total);
        }
    }
}

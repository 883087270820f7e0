using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>Imports one recording. It gathers rows into batches, and maps the recording's ids to the stored ids.</summary>
/// <param name="tables">The repositories that store the rows.</param>
/// <param name="lines">The recording's lines.</param>
/// <param name="now">The database's time, which decides whether a retention time has passed.</param>
/// <param name="transaction">The import's transaction.</param>
/// <param name="options">Whether rows get new ids, text is repaired, and work and expired artifacts are allowed.</param>
/// <param name="progress">Receives the total after each batch; may be null.</param>
internal sealed class RecordingImport(
    RecordingTables tables,
    NdjsonReader lines,
    Instant now,
    NpgsqlTransaction transaction,
    RecordingImportOptions options,
    IProgress<RecordingProgress>? progress)
{
    private readonly EventLineParser eventLines = new();
    private readonly JsonbOptions lineOptions = JsonbOptions.ForLine(RecordingFormat.LargestLineBytes, options.Repair);
    private readonly List<Guid> crawlIds = [];
    private readonly List<Guid> sessionIds = [];

    // Maps each id in the recording to the id of the stored row. For a page, the value also holds the stored id of its session.
    private readonly Dictionary<Guid, Guid> crawls = [];
    private readonly Dictionary<Guid, Guid> sessions = [];
    private readonly Dictionary<Guid, (Guid Id, Guid SessionId)> pages = [];

    private ImportBatch batch = new(firstLine: 1);

    // Stores the batch before. Meanwhile the next one is read.
    private (ImportBatch Batch, long BytesRead, Task Stored)? storing;
    private (long Line, long Runs, long Sessions) work;
    private long expiredArtifacts;
    private RecordingProgress total = new();

    private readonly List<RecordingException> errors = [];

    // The table of the line, once it is known.
    private string? table;

    // Whether an invalid line may have the row that a later line belongs to. That line is then no error of its own.
    private bool lacksParents;

    private long Line => lines.Line;

    private long FirstWorkLine => work.Line == 0 ? Line : work.Line;

    /// <summary>Imports all lines. The caller commits.</summary>
    /// <exception cref="RecordingException">Lines cannot be imported. The first of them ends the storing, and the reading goes on for others.</exception>
    public async Task<RecordingImportResult> RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var (bytes, error) in lines.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                if (error is null)
                {
                    await TryAsync(() => AddLineAsync(bytes, cancellationToken)).ConfigureAwait(false);
                }
                else
                {
                    AddError(error);
                }
            }

            await TryAsync(() => FlushAsync(cancellationToken)).ConfigureAwait(false);
            await TryAsync(CompleteStoringAsync).ConfigureAwait(false);
        }
        catch (RecordingException exception) when (exception.Errors[0] == exception)
        {
            // The input ended the reading, and not the limit of errors.
            errors.Add(exception);
        }
        finally
        {
            // Nothing else may use the connection before.
            await (storing?.Stored ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (errors.Count > 0)
        {
            throw new RecordingException(errors);
        }

        return work.Line == 0 || options.Enqueue
            ? new RecordingImportResult
            {
                CrawlIds = crawlIds,
                SessionIds = sessionIds,
                EnqueuedRuns = work.Runs,
                EnqueuedSessions = work.Sessions,
                ExpiredArtifacts = expiredArtifacts,
                Total = total,
            }
            : throw new RecordingException(
                work.Line,
                $"is work, which workers would take (enqueue would allow it). PENDING runs: {work.Runs}; queued or running sessions: {work.Sessions}.");
    }

    private async Task TryAsync(Func<Task> add)
    {
        try
        {
            await add().ConfigureAwait(false);
        }
        catch (RecordingException exception)
        {
            AddError(exception);
        }
        catch (Exception exception) when (exception is InvalidValueException or RowAlreadyExistsException)
        {
            AddError(new RecordingException(Line, exception.Message, exception));
        }
    }

    private void AddError(RecordingException error)
    {
        lacksParents |= table is not (RecordingFormat.CrawlEvents or RecordingFormat.Artifacts or RecordingFormat.CrawlLogs);

        // An error of the batch before comes after errors of the next one.
        var next = errors.FindIndex(other => other.Line > error.Line);
        errors.Insert(next < 0 ? errors.Count : next, error);
        if (errors.Count >= options.MaxErrors)
        {
            throw new RecordingException(errors);
        }
    }

    private async Task AddLineAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        table = null;
        if (eventLines.TryParse(bytes.Span, out var row))
        {
            table = RecordingFormat.CrawlEvents;
            AddEvent(row);
        }
        else
        {
            var parsed = Parse(bytes.Span);
            table = parsed.Table;
            await AddAsync(parsed, cancellationToken).ConfigureAwait(false);
        }

        batch.NoteLine(bytes.Length);
        if (batch.IsFull)
        {
            await FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask AddAsync(RecordingFormat.Line<JsonElement> parsed, CancellationToken cancellationToken)
    {
        switch (parsed.Table)
        {
            case RecordingFormat.CrawlRuns:
                await AddRunAsync(ToRow<RecordingFormat.RunRow>(parsed), cancellationToken).ConfigureAwait(false);
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
                throw new RecordingException(Line, $"table: is not one of {string.Join(", ", RecordingFormat.Tables)}.");
        }
    }

    private RecordingFormat.Line<JsonElement> Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Jsonb.Parse(bytes, lineOptions).To(RecordingFormat.LineInfo) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            // The cause is left out, because its message may quote the line.
            throw new RecordingException(Line, "is not of the form {\"table\": name, \"row\": {column: value}}.");
        }
    }

    private T ToRow<T>(RecordingFormat.Line<JsonElement> parsed) => RecordingFormat.ToRow<T>(parsed.Row, parsed.Table, Line);

    private async Task AddRunAsync(RecordingFormat.RunRow row, CancellationToken cancellationToken)
    {
        var id = NewId(row.Id);
        AddId(crawls, row.Id, id, "Crawl");
        await CompleteStoringAsync().ConfigureAwait(false);
        if (errors.Count == 0)
        {
            await tables.Runs.InsertAsync([row.ToRun(id)], StoredId, Same, transaction, cancellationToken).ConfigureAwait(false);
        }

        crawlIds.Add(id);
        if (row.Status == CrawlStatus.Pending)
        {
            work = (FirstWorkLine, work.Runs + 1, work.Sessions);
        }

        total = total with { Runs = total.Runs + 1 };
    }

    private async Task AddSessionAsync(RecordingFormat.SessionRow row, CancellationToken cancellationToken)
    {
        var id = NewId(row.Id);
        AddId(sessions, row.Id, id, "Session");
        var session = row.ToSession(id);
        await CompleteStoringAsync().ConfigureAwait(false);
        if (errors.Count == 0)
        {
            await tables.Sessions.InsertAsync([(session, row.CreatedAt)], StoredId, Same, transaction, cancellationToken).ConfigureAwait(false);
        }

        sessionIds.Add(id);

        // A running session becomes stale, and a rescue queues it.
        if (row.Status is AuditSessionStatus.Queued or AuditSessionStatus.Running)
        {
            work = (FirstWorkLine, work.Runs, work.Sessions + 1);
        }

        total = total with { Sessions = total.Sessions + 1 };
    }

    private void AddEvent(RecordingFormat.EventRow row)
    {
        var crawlEvent = row.ToEvent();
        if (TryFindParent(crawls, row.CrawlId, "crawl", out var crawlId))
        {
            batch.Events.Add((crawlId, crawlEvent));
        }
    }

    private void AddPage(RecordingFormat.PageRow row)
    {
        var id = NewId(row.Id);
        if (!TryFindParent(sessions, row.SessionId, "session", out var sessionId))
        {
            return;
        }

        AddId(pages, row.Id, (id, sessionId), "Page");
        batch.Pages.Add((sessionId, new NewAuditPage
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
        if (!TryFindParent(sessions, row.SessionId, "session", out var sessionId) || !TryFindParent(pages, row.PageId, "page", out var page))
        {
            return;
        }

        if (page.SessionId != sessionId)
        {
            throw new RecordingException(Line, $"Page {row.PageId} belongs to another session.");
        }

        var isExpired = row.RetentionUntil?.Microseconds <= now.Microseconds && row.DeletedAt is null;
        expiredArtifacts += isExpired ? 1 : 0;
        var retentionUntil = isExpired && !options.AllowExpired ? null : row.RetentionUntil;
        var artifact = new NewArtifact
        {
            Id = NewId(row.Id),
            PageId = page.Id,
            Type = row.Type,
            StorageUri = row.StorageUri,
            SizeBytes = row.SizeBytes,
            Checksum = row.Checksum,
            CreatedInstant = row.CreatedAt,
            RetentionInstant = retentionUntil,
            KeepForever = retentionUntil is null,
        };
        batch.Artifacts.Add((sessionId, artifact, row.DeletedAt));
    }

    private void AddLog(RecordingFormat.LogRow row)
    {
        var line = new NewCrawlLog
        {
            Level = row.Level,
            EventType = row.EventType,
            Message = row.Message,
            Details = row.Details,
            TimestampInstant = row.Timestamp,
        };
        if (TryFindParent(sessions, row.SessionId, "session", out var sessionId))
        {
            batch.Logs.Add((sessionId, line));
        }
    }

    private Guid NewId(Guid? recorded) => options.NewIds || recorded is null ? Uuid7.New() : recorded.Value;

    private void AddId<T>(Dictionary<Guid, T> stored, Guid? recorded, T value, string noun)
    {
        if (recorded is { } id && !stored.TryAdd(id, value))
        {
            throw new RecordingException(Line, $"{noun} {id} occurs twice in the recording.");
        }
    }

    /// <returns>False when an invalid line may have the parent.</returns>
    private bool TryFindParent<T>(Dictionary<Guid, T> stored, Guid recorded, string noun, [MaybeNullWhen(false)] out T value) =>
        stored.TryGetValue(recorded, out value) || (!lacksParents
            ? throw new RecordingException(Line, $"There is no {noun} {recorded} in the recording before this line.")
            : false);

    // Only the ids of stored rows are read, because their times may be such as DateTimeOffset cannot hold.
    private static Guid StoredId(DbDataReader row) => row.GetGuid(0);

    private static Guid Same(Guid id) => id;

    /// <summary>Begins to store the batch, when the one before is stored. So one batch is read while another is stored.</summary>
    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        var full = batch;
        batch = new ImportBatch(Line + 1);
        await CompleteStoringAsync().ConfigureAwait(false);
        if (errors.Count == 0)
        {
            storing = (full, lines.BytesRead, StoreAsync(full, Line, cancellationToken));
        }
    }

    private async Task CompleteStoringAsync()
    {
        if (storing is not { } stored)
        {
            return;
        }

        storing = null;
        await stored.Stored.ConfigureAwait(false);
        total = stored.Batch.AddTo(total) with { Bytes = stored.BytesRead };
        progress?.Report(total);
    }

    private async Task StoreAsync(ImportBatch full, long lastLine, CancellationToken cancellationToken)
    {
        try
        {
            await tables.Events.AppendAsync(full.Events, transaction, cancellationToken).ConfigureAwait(false);
            await tables.Pages.InsertAsync(full.Pages, transaction, cancellationToken).ConfigureAwait(false);
            await tables.Artifacts.InsertAsync(full.Artifacts, StoredId, Same, transaction, cancellationToken).ConfigureAwait(false);
            await tables.Logs.AppendAsync(full.Logs, transaction, cancellationToken).ConfigureAwait(false);
        }
        catch (RowAlreadyExistsException exception)
        {
            throw new RecordingException(full.FirstLine, $"{exception.Message} It is on a line between this one and line {lastLine}.", exception);
        }
    }
}

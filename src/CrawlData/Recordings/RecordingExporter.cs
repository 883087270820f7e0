using System.Data;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>Writes crawls and audit sessions out of the database as recordings, which <see cref="RecordingImporter"/> reads. Several go into one recording when
/// they are written to one stream after another.</summary>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
public sealed class RecordingExporter(NpgsqlDataSource dataSource)
{
    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly CrawlRunRepository runs = new(dataSource);
    private readonly CrawlEventRepository events = new(dataSource);
    private readonly AuditSessionRepository sessions = new(dataSource);
    private readonly AuditPageRepository pages = new(dataSource);
    private readonly ArtifactRepository artifacts = new(dataSource);
    private readonly CrawlLogRepository logs = new(dataSource);

    /// <summary>Writes a crawl's run and its events, in the order of their ids and without them, in bounded memory.</summary>
    /// <remarks>Run and events as one snapshot has them, in a transaction that is open until the end. A device_config of the JSON literal null becomes one that
    /// is missing, as a recording has one null.</remarks>
    /// <param name="crawlId">The crawl. While it runs, events that are appended after the export began are left out.</param>
    /// <param name="recording">Takes NDJSON in UTF-8; left open.</param>
    /// <param name="progress">Told every thousand events; may be null.</param>
    /// <param name="cancellationToken">Cancels; what was written stays.</param>
    /// <returns>How much it was.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing was written.</exception>
    public Task<RecordingProgress> ExportCrawlAsync(
        Guid crawlId, Stream recording, IProgress<RecordingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        return InSnapshotAsync(snapshot => ExportCrawlAsync(crawlId, recording, progress, snapshot, cancellationToken), cancellationToken);
    }

    /// <summary>Writes a session with its pages and artifacts, also those that are deleted, and its log, in the order of the timestamps and without the lines'
    /// ids.</summary>
    /// <remarks>All as one snapshot has it, in a transaction that is open until the end.</remarks>
    /// <param name="sessionId">The session.</param>
    /// <param name="recording">Takes NDJSON in UTF-8; left open.</param>
    /// <param name="progress">Told every thousand lines of the log; may be null.</param>
    /// <param name="cancellationToken">Cancels; what was written stays.</param>
    /// <returns>How much it was.</returns>
    /// <exception cref="RowNotFoundException">There is no such session. Nothing was written.</exception>
    public Task<RecordingProgress> ExportSessionAsync(
        Guid sessionId, Stream recording, IProgress<RecordingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        return InSnapshotAsync(snapshot => ExportSessionAsync(sessionId, recording, progress, snapshot, cancellationToken), cancellationToken);
    }

    private async Task<RecordingProgress> ExportCrawlAsync(
        Guid crawlId, Stream recording, IProgress<RecordingProgress>? progress, NpgsqlTransaction snapshot, CancellationToken cancellationToken)
    {
        var run = await runs.GetAsync(crawlId, snapshot, cancellationToken).ConfigureAwait(false)
            ?? throw new RowNotFoundException(RecordingFormat.CrawlRuns, [crawlId]);
        using var writer = new NdjsonWriter(recording);
        var total = new RecordingProgress { Runs = 1 };

        await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.CrawlRuns, run), cancellationToken).ConfigureAwait(false);
        await foreach (var crawlEvent in events.StreamAsync(crawlId, null, snapshot, cancellationToken).ConfigureAwait(false))
        {
            await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.CrawlEvents, new RecordingFormat.EventRow
            {
                CrawlId = crawlEvent.CrawlId,
                EventType = crawlEvent.EventType,
                Payload = crawlEvent.Payload,
                CreatedAt = crawlEvent.CreatedAt,
            }), cancellationToken).ConfigureAwait(false);
            total = total with { Events = total.Events + 1, Bytes = writer.BytesWritten };
            if (total.Events % 1_000 == 0)
            {
                progress?.Report(total);
            }
        }

        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        total = total with { Bytes = writer.BytesWritten };
        progress?.Report(total);
        return total;
    }

    private async Task<RecordingProgress> ExportSessionAsync(
        Guid sessionId, Stream recording, IProgress<RecordingProgress>? progress, NpgsqlTransaction snapshot, CancellationToken cancellationToken)
    {
        var session = await sessions.GetAsync(sessionId, snapshot, cancellationToken).ConfigureAwait(false)
            ?? throw new RowNotFoundException(RecordingFormat.AuditSessions, [sessionId]);
        using var writer = new NdjsonWriter(recording);
        var total = new RecordingProgress { Sessions = 1 };
        await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.AuditSessions, session), cancellationToken).ConfigureAwait(false);
        foreach (var page in await pages.ListAsync(sessionId, null, snapshot, cancellationToken).ConfigureAwait(false))
        {
            await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.AuditPages, page), cancellationToken).ConfigureAwait(false);
            total = total with { Pages = total.Pages + 1 };
        }

        var all = new ArtifactFilter { IncludeDeleted = true };
        foreach (var artifact in await artifacts.ListAsync(sessionId, all, snapshot, cancellationToken).ConfigureAwait(false))
        {
            await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.Artifacts, artifact), cancellationToken).ConfigureAwait(false);
            total = total with { Artifacts = total.Artifacts + 1 };
        }

        await foreach (var line in logs.StreamAsync(sessionId, null, snapshot, cancellationToken).ConfigureAwait(false))
        {
            await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.CrawlLogs, new RecordingFormat.LogRow
            {
                SessionId = line.SessionId,
                Level = line.Level,
                EventType = line.EventType,
                Message = line.Message,
                Details = line.Details,
                Timestamp = line.Timestamp,
            }), cancellationToken).ConfigureAwait(false);
            total = total with { Logs = total.Logs + 1, Bytes = writer.BytesWritten };
            if (total.Logs % 1_000 == 0)
            {
                progress?.Report(total);
            }
        }

        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        total = total with { Bytes = writer.BytesWritten };
        progress?.Report(total);
        return total;
    }

    private Task<RecordingProgress> InSnapshotAsync(Func<NpgsqlTransaction, Task<RecordingProgress>> export, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
            await using var ending = snapshot.ConfigureAwait(false);
            return await export(snapshot).ConfigureAwait(false);
        }, cancellationToken);
}

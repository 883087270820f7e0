using System.Data;
using CrawlData.Audits;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>Exports crawls and audit sessions as recordings, which <see cref="RecordingImporter"/> imports. Several exports to one stream, one after another,
/// make one recording.</summary>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <example>
/// <code>
/// await using var recording = File.Create("crawl.ndjson");
/// await new RecordingExporter(dataSource).ExportCrawlAsync(run.Id, recording);
/// </code>
/// </example>
public sealed class RecordingExporter(NpgsqlDataSource dataSource)
{
    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly RecordingTables tables = new(dataSource);

    /// <summary>Exports a run and its events, in bounded memory. The events are in the order of their ids; the ids themselves are left out.</summary>
    /// <remarks>It reads one snapshot, in a transaction that is open until the export ends. Events that are appended after the export began are left out. A
    /// <c>device_config</c> that is the JSON literal <c>null</c> is imported as missing, because a recording does not distinguish the two.</remarks>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="recording">Receives NDJSON in UTF-8. It is left open.</param>
    /// <param name="progress">Receives the total after each 1,000 events, and at the end; may be null. An exception of it ends the export.</param>
    /// <param name="cancellationToken">Cancels the export. The lines that were written stay in the stream.</param>
    /// <returns>The numbers of rows and bytes that were written.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="recording"/> is null.</exception>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing was written.</exception>
    public Task<RecordingProgress> ExportCrawlAsync(
        Guid crawlId, Stream recording, IProgress<RecordingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        return InSnapshotAsync(snapshot => ExportCrawlAsync(crawlId, recording, progress, snapshot, cancellationToken), cancellationToken);
    }

    /// <summary>Exports an audit session with its pages, artifacts and log lines. Artifacts that are marked as deleted are included. The log lines are in the
    /// order of their timestamps; their ids are left out.</summary>
    /// <remarks>It reads one snapshot, in a transaction that is open until the export ends.</remarks>
    /// <param name="sessionId">The session.</param>
    /// <param name="recording">Receives NDJSON in UTF-8. It is left open.</param>
    /// <param name="progress">Receives the total after each 1,000 log lines, and at the end; may be null. An exception of it ends the export.</param>
    /// <param name="cancellationToken">Cancels the export. The lines that were written stay in the stream.</param>
    /// <returns>The numbers of rows and bytes that were written.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="recording"/> is null.</exception>
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
        var run = await tables.Runs.GetAsync(crawlId, snapshot, cancellationToken).ConfigureAwait(false)
            ?? throw new RowNotFoundException(RecordingFormat.CrawlRuns, [crawlId]);
        using var writer = new NdjsonWriter(recording);
        var total = new RecordingProgress { Runs = 1 };

        await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.CrawlRuns, run), cancellationToken).ConfigureAwait(false);
        await foreach (var crawlEvent in tables.Events.StreamAsync(crawlId, null, snapshot, cancellationToken).ConfigureAwait(false))
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
        var session = await tables.Sessions.GetAsync(sessionId, snapshot, cancellationToken).ConfigureAwait(false)
            ?? throw new RowNotFoundException(RecordingFormat.AuditSessions, [sessionId]);
        using var writer = new NdjsonWriter(recording);
        var total = new RecordingProgress { Sessions = 1 };
        await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.AuditSessions, session), cancellationToken).ConfigureAwait(false);
        foreach (var page in await tables.Pages.ListAsync(sessionId, null, snapshot, cancellationToken).ConfigureAwait(false))
        {
            await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.AuditPages, page), cancellationToken).ConfigureAwait(false);
            total = total with { Pages = total.Pages + 1 };
        }

        var all = new ArtifactFilter { IncludeDeleted = true };
        foreach (var artifact in await tables.Artifacts.ListAsync(sessionId, all, snapshot, cancellationToken).ConfigureAwait(false))
        {
            await writer.WriteAsync(RecordingFormat.Row(RecordingFormat.Artifacts, artifact), cancellationToken).ConfigureAwait(false);
            total = total with { Artifacts = total.Artifacts + 1 };
        }

        await foreach (var line in tables.Logs.StreamAsync(sessionId, null, snapshot, cancellationToken).ConfigureAwait(false))
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
            await using var disposal = snapshot.ConfigureAwait(false);
            return await export(snapshot).ConfigureAwait(false);
        }, cancellationToken);
}

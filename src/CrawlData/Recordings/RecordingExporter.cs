using System.Data;
using System.Runtime.CompilerServices;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Recordings;

/// <summary>Exports crawls and audit sessions as recordings, which <see cref="RecordingImporter"/> imports. Several exports to one stream, one after another,
/// make one recording.</summary>
/// <remarks>Values are exported exactly as the database has them, also enum labels that this version does not know, and times that <see cref="DateTimeOffset"/>
/// cannot hold. An import takes such times. It refuses such labels.</remarks>
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
        using var writer = new NdjsonWriter(recording);
        var total = new RecordingProgress();
        await foreach (var _ in WriteAsync(writer, RecordingFormat.CrawlRuns, CrawlRunRepository.GetSql, () => Id(crawlId), snapshot, cancellationToken)
            .ConfigureAwait(false))
        {
            total = total with { Runs = 1 };
        }

        if (total.Runs == 0)
        {
            throw new RowNotFoundException(RecordingFormat.CrawlRuns, [crawlId]);
        }

        var events = WriteAsync(
            writer,
            RecordingFormat.CrawlEvents,
            CrawlEventStatements.ReadSql,
            () => CrawlEventStatements.ToReadParameters(crawlId, null),
            snapshot,
            cancellationToken);
        await foreach (var _ in events.ConfigureAwait(false))
        {
            total = total with { Events = total.Events + 1, Bytes = writer.BytesWritten };
            if (total.Events % 1_000 == 0)
            {
                progress?.Report(total);
            }
        }

        return await FinishAsync(writer, total, progress, cancellationToken).ConfigureAwait(false);
    }

    private async Task<RecordingProgress> ExportSessionAsync(
        Guid sessionId, Stream recording, IProgress<RecordingProgress>? progress, NpgsqlTransaction snapshot, CancellationToken cancellationToken)
    {
        using var writer = new NdjsonWriter(recording);
        var total = new RecordingProgress();
        await foreach (var _ in Rows(RecordingFormat.AuditSessions, AuditSessionRepository.GetSql, () => Id(sessionId)).ConfigureAwait(false))
        {
            total = total with { Sessions = 1 };
        }

        if (total.Sessions == 0)
        {
            throw new RowNotFoundException(RecordingFormat.AuditSessions, [sessionId]);
        }

        var pages = Rows(RecordingFormat.AuditPages, AuditPageRepository.ListSql, () => AuditPageRepository.ToParameters(sessionId, null));
        await foreach (var _ in pages.ConfigureAwait(false))
        {
            total = total with { Pages = total.Pages + 1 };
        }

        var all = new ArtifactFilter { IncludeDeleted = true };
        var artifacts = Rows(RecordingFormat.Artifacts, ArtifactRepository.ListSql, () => ArtifactRepository.ToParameters(sessionId, all));
        await foreach (var _ in artifacts.ConfigureAwait(false))
        {
            total = total with { Artifacts = total.Artifacts + 1 };
        }

        var lines = Rows(RecordingFormat.CrawlLogs, CrawlLogStatements.ReadSql, () => CrawlLogStatements.ToStreamParameters(sessionId, null));
        await foreach (var _ in lines.ConfigureAwait(false))
        {
            total = total with { Logs = total.Logs + 1, Bytes = writer.BytesWritten };
            if (total.Logs % 1_000 == 0)
            {
                progress?.Report(total);
            }
        }

        return await FinishAsync(writer, total, progress, cancellationToken).ConfigureAwait(false);

        IAsyncEnumerable<bool> Rows(string table, string sql, Func<Parameters> parameters) =>
            WriteAsync(writer, table, sql, parameters, snapshot, cancellationToken);
    }

    /// <summary>Writes the rows of a query as the database has them, also those that this version cannot read. It yields after each row.</summary>
    private async IAsyncEnumerable<bool> WriteAsync(
        NdjsonWriter writer,
        string table,
        string sql,
        Func<Parameters> parameters,
        NpgsqlTransaction snapshot,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // The ids of events and log lines are left out.
        var firstColumn = table is RecordingFormat.CrawlEvents or RecordingFormat.CrawlLogs ? 1 : 0;
        var rows = dataSource.StreamAsync(sql, parameters, () => writer.Map(table, firstColumn), passedOver: null, snapshot, cancellationToken);
        await foreach (var row in rows.ConfigureAwait(false))
        {
            await writer.FlushIfFullAsync(cancellationToken).ConfigureAwait(false);
            yield return row;
        }
    }

    private static async Task<RecordingProgress> FinishAsync(
        NdjsonWriter writer, RecordingProgress total, IProgress<RecordingProgress>? progress, CancellationToken cancellationToken)
    {
        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        total = total with { Bytes = writer.BytesWritten };
        progress?.Report(total);
        return total;
    }

    private static Parameters Id(Guid id) => new() { { "id", NpgsqlDbType.Uuid, id } };

    private Task<RecordingProgress> InSnapshotAsync(Func<NpgsqlTransaction, Task<RecordingProgress>> export, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
            await using var disposal = snapshot.ConfigureAwait(false);
            return await export(snapshot).ConfigureAwait(false);
        }, cancellationToken);
}

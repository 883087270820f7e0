using System.Data;
using System.Data.Common;
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
        return ToRecordingAsync(recording, format => ExportCrawlAsync(crawlId, format, ExportSelection.All, progress, cancellationToken));
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
        return ToRecordingAsync(recording, format => ExportSessionAsync(sessionId, format, ExportSelection.All, progress, cancellationToken));
    }

    /// <summary>Exports rows of a run and of its events, as
    /// <see cref="ExportCrawlAsync(Guid, Stream, IProgress{RecordingProgress}?, CancellationToken)"/> does, in a format.</summary>
    internal Task<ExportedRows> ExportCrawlAsync(
        Guid crawlId, RowFormat format, ExportSelection selection, IProgress<RecordingProgress>? progress, CancellationToken cancellationToken) =>
        InSnapshotAsync(snapshot => ExportCrawlAsync(crawlId, format, selection, progress, snapshot, cancellationToken), cancellationToken);

    /// <summary>Exports rows of a session and of its pages, artifacts and log lines, as
    /// <see cref="ExportSessionAsync(Guid, Stream, IProgress{RecordingProgress}?, CancellationToken)"/> does, in a format.</summary>
    internal Task<ExportedRows> ExportSessionAsync(
        Guid sessionId, RowFormat format, ExportSelection selection, IProgress<RecordingProgress>? progress, CancellationToken cancellationToken) =>
        InSnapshotAsync(snapshot => ExportSessionAsync(sessionId, format, selection, progress, snapshot, cancellationToken), cancellationToken);

    private static async Task<RecordingProgress> ToRecordingAsync(Stream recording, Func<RowFormat, Task<ExportedRows>> export)
    {
        using var writer = new NdjsonWriter(recording);
        return (await export(writer).ConfigureAwait(false)).Total;
    }

    private async Task<ExportedRows> ExportCrawlAsync(
        Guid crawlId,
        RowFormat format,
        ExportSelection selection,
        IProgress<RecordingProgress>? progress,
        NpgsqlTransaction snapshot,
        CancellationToken cancellationToken)
    {
        var status = await ExportParentAsync(
            format, selection, RecordingFormat.CrawlRuns, CrawlRunRepository.GetSql, crawlId, snapshot, cancellationToken).ConfigureAwait(false);
        var total = new RecordingProgress { Runs = selection.Includes(RecordingFormat.CrawlRuns) ? 1 : 0 };
        long? lastEventId = null;
        if (selection.Includes(RecordingFormat.CrawlEvents))
        {
            var events = WriteAsync(
                format,
                RecordingFormat.CrawlEvents,
                CrawlEventStatements.ReadSql,
                () => CrawlEventStatements.ToReadParameters(crawlId, null, selection.AfterId),
                row => row.GetInt64(0),
                snapshot,
                cancellationToken);
            await foreach (var id in events.ConfigureAwait(false))
            {
                lastEventId = id;
                total = total with { Events = total.Events + 1, Bytes = format.BytesWritten };
                if (total.Events % 1_000 == 0)
                {
                    progress?.Report(total);
                }
            }
        }

        total = await FinishAsync(format, total, progress, cancellationToken).ConfigureAwait(false);
        return new ExportedRows { Total = total, Status = status, LastEventId = lastEventId };
    }

    private async Task<ExportedRows> ExportSessionAsync(
        Guid sessionId,
        RowFormat format,
        ExportSelection selection,
        IProgress<RecordingProgress>? progress,
        NpgsqlTransaction snapshot,
        CancellationToken cancellationToken)
    {
        var status = await ExportParentAsync(
            format, selection, RecordingFormat.AuditSessions, AuditSessionRepository.GetSql, sessionId, snapshot, cancellationToken).ConfigureAwait(false);
        var total = new RecordingProgress { Sessions = selection.Includes(RecordingFormat.AuditSessions) ? 1 : 0 };
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
            total = total with { Logs = total.Logs + 1, Bytes = format.BytesWritten };
            if (total.Logs % 1_000 == 0)
            {
                progress?.Report(total);
            }
        }

        total = await FinishAsync(format, total, progress, cancellationToken).ConfigureAwait(false);
        return new ExportedRows { Total = total, Status = status };

        IAsyncEnumerable<bool> Rows(string table, string sql, Func<Parameters> parameters) => selection.Includes(table)
            ? WriteAsync(format, table, sql, parameters, _ => true, snapshot, cancellationToken)
            : AsyncEnumerable.Empty<bool>();
    }

    /// <summary>Reads the run or session, and writes it if it is selected.</summary>
    /// <returns>The label of its status.</returns>
    /// <exception cref="RowNotFoundException">There is no such row.</exception>
    private async Task<string> ExportParentAsync(
        RowFormat format, ExportSelection selection, string table, string sql, Guid id, NpgsqlTransaction snapshot, CancellationToken cancellationToken)
    {
        var rows = WriteAsync(
            selection.Includes(table) ? format : null,
            table,
            sql,
            () => new Parameters { { "id", NpgsqlDbType.Uuid, id } },
            row => row.GetString(row.GetOrdinal("status")),
            snapshot,
            cancellationToken);
        string? status = null;
        await foreach (var label in rows.ConfigureAwait(false))
        {
            status = label;
        }

        return status ?? throw new RowNotFoundException(table, [id]);
    }

    /// <summary>Writes the rows of a query, if there is a format. It yields after each row.</summary>
    private async IAsyncEnumerable<T> WriteAsync<T>(
        RowFormat? format,
        string table,
        string sql,
        Func<Parameters> parameters,
        Func<DbDataReader, T> select,
        NpgsqlTransaction snapshot,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var rows = dataSource.StreamAsync(sql, parameters, Maps, passedOver: null, snapshot, cancellationToken);
        await foreach (var row in rows.ConfigureAwait(false))
        {
            await (format?.FlushIfFullAsync(cancellationToken) ?? Task.CompletedTask).ConfigureAwait(false);
            yield return row;
        }

        Func<DbDataReader, T> Maps()
        {
            var write = format?.Map(table);
            return row =>
            {
                write?.Invoke(row);
                return select(row);
            };
        }
    }

    private static async Task<RecordingProgress> FinishAsync(
        RowFormat format, RecordingProgress total, IProgress<RecordingProgress>? progress, CancellationToken cancellationToken)
    {
        await format.FlushAsync(cancellationToken).ConfigureAwait(false);
        total = total with { Bytes = format.BytesWritten };
        progress?.Report(total);
        return total;
    }

    private Task<ExportedRows> InSnapshotAsync(Func<NpgsqlTransaction, Task<ExportedRows>> export, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
            await using var disposal = snapshot.ConfigureAwait(false);
            return await export(snapshot).ConfigureAwait(false);
        }, cancellationToken);
}

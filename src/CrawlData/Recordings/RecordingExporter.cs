using System.Data;
using CrawlData.Storage;
using Npgsql;

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
    /// <param name="progress">Receives the total after each 1,000 rows of a table, and at the end; may be null. An exception of it ends the export.</param>
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
    /// <param name="progress">Receives the total after each 1,000 rows of a table, and at the end; may be null. An exception of it ends the export.</param>
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
        InSnapshotAsync(snapshot => new RecordingExport(format, selection, progress, snapshot).RunCrawlAsync(crawlId, cancellationToken), cancellationToken);

    /// <summary>Exports rows of a session and of its pages, artifacts and log lines, as
    /// <see cref="ExportSessionAsync(Guid, Stream, IProgress{RecordingProgress}?, CancellationToken)"/> does, in a format.</summary>
    internal Task<ExportedRows> ExportSessionAsync(
        Guid sessionId, RowFormat format, ExportSelection selection, IProgress<RecordingProgress>? progress, CancellationToken cancellationToken) =>
        InSnapshotAsync(
            snapshot => new RecordingExport(format, selection, progress, snapshot).RunSessionAsync(sessionId, cancellationToken), cancellationToken);

    private static async Task<RecordingProgress> ToRecordingAsync(Stream recording, Func<RowFormat, Task<ExportedRows>> export)
    {
        var exported = await export(new NdjsonWriter(recording)).ConfigureAwait(false);
        return exported.Total;
    }

    private Task<ExportedRows> InSnapshotAsync(Func<NpgsqlTransaction, Task<ExportedRows>> export, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
            await using var disposal = snapshot.ConfigureAwait(false);
            return await export(snapshot).ConfigureAwait(false);
        }, cancellationToken);
}

using System.Data;
using System.Data.Common;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Recordings;

/// <summary>Exports one crawl or audit session from a snapshot.</summary>
/// <param name="format">The format that the rows are written in.</param>
/// <param name="selection">The rows to write.</param>
/// <param name="progress">Receives the total after each 1,000 rows of a table, and at the end; may be null.</param>
/// <param name="snapshot">A transaction at REPEATABLE READ. It is of no further use after an error.</param>
internal sealed class RecordingExport(RowFormat format, ExportSelection selection, IProgress<RecordingProgress>? progress, NpgsqlTransaction snapshot)
{
    private const int RowsOfReport = 1_000;

    private RecordingProgress total = new();

    /// <summary>Writes the run and its events.</summary>
    /// <exception cref="RowNotFoundException">There is no such crawl.</exception>
    public async Task<ExportedRows> RunCrawlAsync(Guid crawlId, CancellationToken cancellationToken)
    {
        var status = await WriteParentAsync(
            RecordingFormat.CrawlRuns, CrawlRunRepository.GetSql, crawlId, runs => total with { Runs = runs }, cancellationToken).ConfigureAwait(false);
        long? lastEventId = null;
        await WriteAsync(
            RecordingFormat.CrawlEvents,
            CrawlEventStatements.ReadSql,
            CrawlEventStatements.ToReadParameters(crawlId, null, selection.AfterId),
            events => total with { Events = events },
            cancellationToken,
            row => lastEventId = row.GetInt64(0)).ConfigureAwait(false);
        return new ExportedRows { Total = await FinishAsync(cancellationToken).ConfigureAwait(false), Status = status, LastEventId = lastEventId };
    }

    /// <summary>Writes the session, its pages, its artifacts and its log lines.</summary>
    /// <exception cref="RowNotFoundException">There is no such session.</exception>
    public async Task<ExportedRows> RunSessionAsync(Guid sessionId, CancellationToken cancellationToken)
    {
        var status = await WriteParentAsync(
            RecordingFormat.AuditSessions, AuditSessionRepository.GetSql, sessionId, sessions => total with { Sessions = sessions }, cancellationToken)
            .ConfigureAwait(false);
        await WriteAsync(
            RecordingFormat.AuditPages,
            AuditPageRepository.ListSql,
            AuditPageRepository.ToParameters(sessionId, null),
            pages => total with { Pages = pages },
            cancellationToken).ConfigureAwait(false);
        await WriteAsync(
            RecordingFormat.Artifacts,
            ArtifactRepository.ListSql,
            ArtifactRepository.ToParameters(sessionId, new ArtifactFilter { IncludeDeleted = true }),
            artifacts => total with { Artifacts = artifacts },
            cancellationToken).ConfigureAwait(false);
        await WriteAsync(
            RecordingFormat.CrawlLogs,
            CrawlLogStatements.ReadSql,
            CrawlLogStatements.ToStreamParameters(sessionId, null),
            logs => total with { Logs = logs },
            cancellationToken).ConfigureAwait(false);
        return new ExportedRows { Total = await FinishAsync(cancellationToken).ConfigureAwait(false), Status = status };
    }

    /// <summary>Reads the run or session, and writes it if it is selected.</summary>
    /// <returns>The label of its status.</returns>
    private async Task<string> WriteParentAsync(
        string table, string sql, Guid id, Func<long, RecordingProgress> count, CancellationToken cancellationToken)
    {
        string? status = null;
        Action<DbDataReader> read = row => status = row.GetString(row.GetOrdinal("status"));
        var parameters = new Parameters { { "id", NpgsqlDbType.Uuid, id } };
        await (selection.Includes(table)
            ? ReadAsync(sql, parameters, format.Map(table) + read, count, cancellationToken)
            : ReadAsync(sql, parameters, read, _ => total, cancellationToken)).ConfigureAwait(false);
        return status ?? throw new RowNotFoundException(table, [id]);
    }

    /// <summary>Writes a table's rows if the table is selected.</summary>
    /// <param name="table">The table.</param>
    /// <param name="sql">Reads the rows.</param>
    /// <param name="parameters">The parameters of the SQL.</param>
    /// <param name="count">Adds the table's rows to the total.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <param name="read">Reads each row too; may be null.</param>
    private Task WriteAsync(
        string table,
        string sql,
        Parameters parameters,
        Func<long, RecordingProgress> count,
        CancellationToken cancellationToken,
        Action<DbDataReader>? read = null) =>
        selection.Includes(table) ? ReadAsync(sql, parameters, format.Map(table) + read, count, cancellationToken) : Task.CompletedTask;

    private async Task ReadAsync(
        string sql, Parameters parameters, Action<DbDataReader> read, Func<long, RecordingProgress> count, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, snapshot.Connection, snapshot);
        await using var commandDisposal = command.ConfigureAwait(false);
        parameters.AddTo(command);
        var reader = await command.ExecuteReaderAsync(CommandBehavior.SingleResult, cancellationToken).ConfigureAwait(false);
        await using var readerDisposal = reader.ConfigureAwait(false);
        var rows = 0L;
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                read(reader);
                await format.FlushIfFullAsync(cancellationToken).ConfigureAwait(false);
                if (++rows % RowsOfReport == 0)
                {
                    progress?.Report(count(rows) with { Bytes = format.BytesWritten });
                }

                // The reader looks at the token only when it has to wait.
                cancellationToken.ThrowIfCancellationRequested();
            }
            catch
            {
                // Disposal reads the remaining rows, and a cancelled query has few left.
                command.Cancel();
                throw;
            }
        }

        total = count(rows);
    }

    private async Task<RecordingProgress> FinishAsync(CancellationToken cancellationToken)
    {
        await format.FlushAsync(cancellationToken).ConfigureAwait(false);
        total = total with { Bytes = format.BytesWritten };
        progress?.Report(total);
        return total;
    }
}

using System.Runtime.CompilerServices;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

/// <summary>Follows the logs of sessions. Appends to a log do not wait for each other, so a line may be committed after one with a higher id. A follower reads
/// up to the <see cref="HighWaterMark"/>, and so misses none.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="retry">Which errors of a read are transient, and for how long it is retried.</param>
/// <param name="timeProvider">Measures the pauses between reads.</param>
/// <param name="telemetry">Counts the lines that are passed over.</param>
/// <param name="logger">Logs the lines that are passed over.</param>
internal sealed class CrawlLogFollower(
    NpgsqlDataSource dataSource, RetryPolicy retry, TimeProvider timeProvider, Telemetry telemetry, ILogger logger)
{
    // One statement, and so one snapshot: the log of a session that has ended is complete. The writers are read after the snapshot. The mark is valid on the
    // server that it was found on. The join has one row on its left side, and keeps the lines' order.
    internal const string FollowSql =
        $"""
        select state.*, lines.*
        from (
            select (select status::text in ('completed', 'failed', 'partial') from audit_sessions where id = @session_id) as has_ended,
                   pg_catalog.pg_is_in_recovery() as is_standby, newest_id, last_id,
                   case when @is_waiting or newest_id > greatest(@after_id, @up_to_id) then (
                       {HighWaterMark.Writers} and relation = 'crawl_logs'::regclass::oid
                   ) end as writers,
                   pg_catalog.pg_postmaster_start_time() as server_start, {Citus.IsInstalled} as is_on_citus
            from (
                select coalesce(pg_catalog.max(id), 0) as newest_id,
                       case when not {Citus.IsInstalled} then coalesce(
                           pg_catalog.pg_sequence_last_value('crawl_logs_id_seq'),
                           case when pg_catalog.has_sequence_privilege('crawl_logs_id_seq', 'usage, select') then 0 end) end as last_id
                from crawl_logs
            ) as newest
        ) as state
        left join (
            select {CrawlLogStatements.Columns}
            from crawl_logs
            where session_id = @session_id
              and id > @after_id
              and (
                  (id <= @up_to_id and pg_catalog.pg_postmaster_start_time() = @server_start)
                  or (select status::text in ('completed', 'failed', 'partial') from audit_sessions where id = @session_id))
              {Filters}
            order by id
            limit @limit
        ) as lines on true
        """;

    private const string Filters =
        """
        and (@levels is null or level operator(pg_catalog.=) any (@levels::log_level_enum[]))
              and (@event_types is null or event_type operator(pg_catalog.=) any (@event_types::event_type_enum[]))
              and (@timestamp_from is null or timestamp >= @timestamp_from)
              and (@timestamp_before is null or timestamp < @timestamp_before)
        """;

    private const int StateColumns = 7;

    // On Citus, a statement that names a table runs on the node that has its rows. So the server is asked in statements of their own. The state is read before
    // the lines: the log of a session that has ended is complete.
    internal const string StateSql =
        "select status::text in ('completed', 'failed', 'partial'), (select coalesce(pg_catalog.max(id), 0) from crawl_logs) "
        + "from audit_sessions where id = @session_id";

    internal const string ReadUpToSql =
        $"""
        select {CrawlLogStatements.Columns}
        from crawl_logs
        where session_id = @session_id
          and id > @after_id
          and (id <= @up_to_id or (select status::text in ('completed', 'failed', 'partial') from audit_sessions where id = @session_id))
          {Filters}
        order by id
        limit @limit
        """;

    private static readonly string FollowOnCitus = string.Join(
        ";\n",
        StateSql,
        NodeWriters.OnCoordinator(CrawlLogStatements.LogsTable),
        NodeWriters.OnNodes(CrawlLogStatements.LogsTable),
        ReadUpToSql);

    // Each read finds out, until one finds Citus.
    private volatile bool isOnCitus;

    private const int PageSize = 1_000;

    /// <summary>Follows a session's log until the session has ended.</summary>
    public async IAsyncEnumerable<CrawlLog> FollowAsync(
        Guid sessionId,
        CrawlLogFilter filter,
        long afterId,
        TimeSpan pollInterval,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var mark = new HighWaterMark();
        var pause = GrowingPause.ForTransactions;
        while (true)
        {
            var upToId = mark.Id;
            var (lines, lastId, isFull, hasEnded) = await StandbyReadException.RetryAsync(
                retry, dataSource, () => ReadAsync(sessionId, filter, afterId, mark, cancellationToken), cancellationToken).ConfigureAwait(false);
            foreach (var line in lines)
            {
                yield return line;
                cancellationToken.ThrowIfCancellationRequested();
            }

            afterId = lastId;
            if (isFull || mark.Id > upToId)
            {
                pause = GrowingPause.ForTransactions;
            }
            else if (hasEnded)
            {
                yield break;
            }
            else
            {
                await Task.Delay(pause.Next(pollInterval), timeProvider, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Reads lines up to the mark, or all of a session that has ended, and then advances the mark as far as it goes.</summary>
    private Task<LogRead> ReadAsync(Guid sessionId, CrawlLogFilter filter, long afterId, HighWaterMark mark, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            if (!isOnCitus)
            {
                var parameters = ToParameters(sessionId, filter, afterId, mark);
                if (await ReadAsync(connection, parameters, sessionId, afterId, mark, cancellationToken).ConfigureAwait(false) is { } read)
                {
                    return read;
                }

                isOnCitus = true;
            }

            return await ReadOnCitusAsync(connection, sessionId, filter, afterId, mark, cancellationToken).ConfigureAwait(false);
        }, cancellationToken);

    /// <summary>Reads lines in one statement.</summary>
    /// <returns>The lines; null on Citus.</returns>
    private async Task<LogRead?> ReadAsync(
        NpgsqlConnection connection, Parameters parameters, Guid sessionId, long afterId, HighWaterMark mark, CancellationToken cancellationToken)
    {
        var upToId = mark.Id;
        var command = new NpgsqlCommand(Sql.AtReadCommitted(FollowSql), connection);
        await using (command.ConfigureAwait(false))
        {
            parameters.AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                if (reader.GetBoolean(6))
                {
                    return null;
                }

                var (newest, last, writers) = (reader.GetInt64(2), reader.GetNullable<long?>(3), reader.GetNullable<string>(4));
                var hasEnded = Check(sessionId, isStandby: reader.GetBoolean(1), reader.GetNullable<bool?>(0), newest, last);
                if (!mark.TryBegin(reader.GetInstant(5), last))
                {
                    return new LogRead([], afterId, true, false);
                }

                var page = reader.IsDBNull(StateColumns)
                    ? null
                    : await ReadLinesAsync(command, reader, StateColumns, cancellationToken).ConfigureAwait(false);
                if (writers is not null)
                {
                    mark.Advance(newest, HighWaterMark.Split(writers));
                }

                return ToRead(page, afterId, upToId, hasEnded);
            }
        }
    }

    /// <summary>Reads lines on Citus.</summary>
    private async Task<LogRead> ReadOnCitusAsync(
        NpgsqlConnection connection, Guid sessionId, CrawlLogFilter filter, long afterId, HighWaterMark mark, CancellationToken cancellationToken)
    {
        var upToId = mark.Id;
        var command = new NpgsqlCommand(Sql.AtReadCommitted(FollowOnCitus), connection);
        await using (command.ConfigureAwait(false))
        {
            ToParameters(sessionId, filter, afterId, mark).AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                var state = await reader.ReadRowAsync(static row => (HasEnded: row.GetBoolean(0), Newest: row.GetInt64(1)), cancellationToken)
                    .ConfigureAwait(false);
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                var (last, isStandby, writers, start) = await NodeWriters.ReadAsync(reader, cancellationToken).ConfigureAwait(false);
                var newest = state?.Newest ?? 0;
                var hasEnded = Check(sessionId, isStandby, state?.HasEnded, newest, last);
                if (!mark.TryBegin(start, last))
                {
                    return new LogRead([], afterId, true, false);
                }

                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                var page = await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
                    ? await ReadLinesAsync(command, reader, 0, cancellationToken).ConfigureAwait(false)
                    : null;
                mark.Advance(newest, writers);
                return ToRead(page, afterId, upToId, hasEnded);
            }
        }
    }

    /// <summary>Checks that the server's answer counts.</summary>
    /// <returns>Whether the session has ended.</returns>
    private static bool Check(Guid sessionId, bool isStandby, bool? hasEnded, long newest, long? last)
    {
        if (isStandby)
        {
            throw new StandbyReadException(new InvalidOperationException(
                "A standby does not know the primary's open transactions. Follow a session's log on the primary."));
        }

        var known = hasEnded ?? throw new RowNotFoundException(AuditSessionRepository.Table, [sessionId]);
        return newest > last ? throw HighWaterMark.SequenceIsBehind(CrawlLogStatements.LogsTable, last.Value, newest) : known;
    }

    private async Task<BoundedPage<CrawlLog, long>> ReadLinesAsync(
        NpgsqlCommand command, NpgsqlDataReader reader, int column, CancellationToken cancellationToken)
    {
        var page = await BoundedPage<CrawlLog, long>.ReadOnAsync(
            reader,
            row => CrawlLogStatements.Map(row, column),
            row => row.GetInt64(column),
            CrawlLogStatements.Bytes,
            PageSize,
            PageBuilder.MaxBytes,
            new PassedOverRows(telemetry, logger),
            cancellationToken).ConfigureAwait(false);
        if (page.IsFull && page.Rows < PageSize)
        {
            // The reader's disposal reads the remaining rows, and a cancelled query has few left.
            command.Cancel();
        }

        return page;
    }

    private static LogRead ToRead(BoundedPage<CrawlLog, long>? page, long afterId, long upToId, bool hasEnded) => page is { IsFull: true }
        ? new LogRead(page.Items, page.LastKey, true, hasEnded)
        : new LogRead(page?.Items ?? [], Math.Max(page?.LastKey ?? afterId, upToId), false, hasEnded);

    private static Parameters ToParameters(Guid sessionId, CrawlLogFilter filter, long afterId, HighWaterMark mark) => new()
    {
        { "session_id", NpgsqlDbType.Uuid, sessionId },
        { "is_waiting", NpgsqlDbType.Boolean, mark.IsHeldBack },
        { "after_id", NpgsqlDbType.Bigint, afterId },
        { "up_to_id", NpgsqlDbType.Bigint, mark.Id },
        { "server_start", NpgsqlDbType.TimestampTz, mark.ServerStart },
        { "levels", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Levels.ToLabels() },
        { "event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.EventTypes.ToLabels() },
        { "timestamp_from", NpgsqlDbType.TimestampTz, Instant.From(filter.TimestampFrom) },
        { "timestamp_before", NpgsqlDbType.TimestampTz, Instant.From(filter.TimestampBefore) },
        { "limit", NpgsqlDbType.Bigint, (long)PageSize },
    };

    /// <summary>The outcome of a read.</summary>
    /// <param name="Lines">The lines, in the order of their ids.</param>
    /// <param name="LastId">Where the next read goes on.</param>
    /// <param name="IsFull">Whether further lines may follow at once.</param>
    /// <param name="HasEnded">Whether the session had ended.</param>
    private sealed record LogRead(IReadOnlyList<CrawlLog> Lines, long LastId, bool IsFull, bool HasEnded);
}

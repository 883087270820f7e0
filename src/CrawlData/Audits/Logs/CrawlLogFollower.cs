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
                   pg_catalog.pg_postmaster_start_time() as server_start
            from (
                select coalesce(pg_catalog.max(id), 0) as newest_id,
                       coalesce(
                           pg_catalog.pg_sequence_last_value('crawl_logs_id_seq'),
                           case when pg_catalog.has_sequence_privilege('crawl_logs_id_seq', 'usage, select') then 0 end) as last_id
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
              and (@levels is null or level operator(pg_catalog.=) any (@levels::log_level_enum[]))
              and (@event_types is null or event_type operator(pg_catalog.=) any (@event_types::event_type_enum[]))
              and (@timestamp_from is null or timestamp >= @timestamp_from)
              and (@timestamp_before is null or timestamp < @timestamp_before)
            order by id
            limit @limit
        ) as lines on true
        """;

    private const int StateColumns = 6;

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
    private Task<(IReadOnlyList<CrawlLog> Lines, long LastId, bool IsFull, bool HasEnded)> ReadAsync(
        Guid sessionId, CrawlLogFilter filter, long afterId, HighWaterMark mark, CancellationToken cancellationToken) =>
        dataSource.UseAsync<(IReadOnlyList<CrawlLog> Lines, long LastId, bool IsFull, bool HasEnded)>(null, async connection =>
        {
            var upToId = mark.Id;
            var command = new NpgsqlCommand(Sql.AtReadCommitted(FollowSql), connection);
            await using var commandDisposal = command.ConfigureAwait(false);
            ToParameters(sessionId, filter, afterId, mark).AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                if (reader.GetBoolean(1))
                {
                    throw new StandbyReadException(new InvalidOperationException(
                        "A standby does not know the primary's open transactions. Follow a session's log on the primary."));
                }

                if (reader.GetNullable<bool?>(0) is not { } hasEnded)
                {
                    throw new RowNotFoundException(AuditSessionRepository.Table, [sessionId]);
                }

                var (newest, last, writers) = (reader.GetInt64(2), reader.GetNullable<long?>(3), reader.GetNullable<string>(4));
                if (newest > last)
                {
                    throw HighWaterMark.SequenceIsBehind(CrawlLogStatements.LogsTable, last.Value, newest);
                }

                if (!mark.TryBegin(reader.GetInstant(5), last))
                {
                    return ([], afterId, true, false);
                }

                var page = reader.IsDBNull(StateColumns)
                    ? null
                    : await BoundedPage<CrawlLog, long>.ReadOnAsync(
                        reader,
                        static row => CrawlLogStatements.Map(row, StateColumns),
                        static row => row.GetInt64(StateColumns),
                        CrawlLogStatements.Bytes,
                        PageSize,
                        PageBuilder.MaxBytes,
                        new PassedOverRows(telemetry, logger),
                        cancellationToken).ConfigureAwait(false);
                if (page is { IsFull: true } && page.Rows < PageSize)
                {
                    // The reader's disposal reads the remaining rows, and a cancelled query has few left.
                    command.Cancel();
                }

                if (writers is not null)
                {
                    mark.Advance(newest, [.. writers.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
                }

                return page is { IsFull: true }
                    ? (page.Items, page.LastKey, true, hasEnded)
                    : (page?.Items ?? [], Math.Max(page?.LastKey ?? afterId, upToId), false, hasEnded);
            }
        }, cancellationToken);

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
}

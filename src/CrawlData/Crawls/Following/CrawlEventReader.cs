using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>The reads of followers.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="retry">Which errors of a read are transient, and for how long it is retried.</param>
/// <param name="telemetry">Counts the events that are passed over.</param>
/// <param name="logger">Logs the events that are passed over.</param>
internal sealed class CrawlEventReader(NpgsqlDataSource dataSource, RetryPolicy retry, Telemetry telemetry, ILogger logger)
{
    // One statement, so that one server answers it: behind a router that sends each statement to a server of its choice, two statements would not agree. The
    // first row tells where the table ends, and the others are the events up to a mark that an earlier statement found. No parallel plan reorders the rows,
    // because pg_sequence_last_value allows none. The last value is null before the first id is drawn. On newer servers it is also null for a role without
    // rights on the sequence. The writers are read after the statement's snapshot. The mark is valid on the server that it was found on. A newest id below the
    // cursor or the mark changes nothing, so older partitions are not looked at.
    internal const string ReadAllSql =
        $"""
        select newest_id, last_id, pg_catalog.pg_is_in_recovery(),
               case when @is_waiting or newest_id > greatest(@after_id, @up_to_id) then (
                   {HighWaterMark.Writers} and relation = 'crawl_events'::regclass::oid
               ) end,
               pg_catalog.pg_postmaster_start_time(), {Citus.IsInstalled},
               null as id, null as crawl_id, null as event_type, null as payload, null as created_at
        from (
            select coalesce(pg_catalog.max(id), 0) as newest_id,
                   case when not {Citus.IsInstalled} then coalesce(
                       pg_catalog.pg_sequence_last_value('crawl_events_id_seq'),
                       case when pg_catalog.has_sequence_privilege('crawl_events_id_seq', 'usage, select') then 0 end) end as last_id
            from crawl_events
            where id >= greatest(@after_id, @up_to_id)
        ) as newest
        union all
        (
            select null, null, null, null, null, null, {CrawlEventStatements.ReadColumns}
            from crawl_events
            where id > @after_id and id <= @up_to_id and pg_catalog.pg_postmaster_start_time() = @server_start
            order by id
            limit @limit
        )
        """;

    private const int ReadAllColumns = 6;

    // On Citus, a statement that names a table runs on the nodes that have its rows. So the server is asked in statements of their own, in the order of the
    // parts above, and all over one connection.
    internal const string NewestSql = "select coalesce(pg_catalog.max(id), 0) from crawl_events";

    internal const string ReadUpToSql =
        $"select {CrawlEventStatements.ReadColumns} from crawl_events where id > @after_id and id <= @up_to_id order by id limit @limit";

    private static readonly string ReadAllOnCitus = string.Join(
        ";\n", NewestSql, NodeWriters.OnCoordinator(CrawlEventStatements.EventsTable), NodeWriters.OnNodes(CrawlEventStatements.EventsTable), ReadUpToSql);

    private const string RunState =
        "(select status::text in ('COMPLETED', 'FAILED', 'CANCELLED') from crawl_runs where id = @crawl_id) as has_ended, "
        + "pg_catalog.pg_is_in_recovery() as is_standby";

    // One statement, and so one snapshot: the events of a run that has ended are complete. The join has one row on its left side, and keeps the events' order.
    internal const string FollowSql =
        $"""
        select run.*, events.*
        from (select {RunState}, null::bigint as newest_id, null::bigint as last_id) as run
        left join ({CrawlEventStatements.ReadSql}) as events on true
        """;

    // As above, where each crawl has a node of its own.
    internal const string FollowByCrawlSql =
        $"""
        select run.*, events.*
        from (select {RunState}, null::bigint as newest_id, null::bigint as last_id) as run
        left join ({CrawlEventStatements.ReadByCrawlSql}) as events on true
        """;

    // As above, with the crawl's newest id and the sequence's last. If the sequence was set back, new events get ids that the reader has passed.
    internal const string FollowCheckedSql =
        $"""
        select run.*, events.*
        from (
            select {RunState},
                   (select id from crawl_events where {CrawlEventStatements.OfCrawl} order by crawl_id desc, id desc limit 1) as newest_id,
                   case
                       when not {Citus.IsInstalled} and pg_catalog.has_sequence_privilege('crawl_events_id_seq', 'usage, select')
                       then coalesce(pg_catalog.pg_sequence_last_value('crawl_events_id_seq'), 0)
                   end as last_id
        ) as run
        left join ({CrawlEventStatements.ReadSql}) as events on true
        """;

    private const int FollowColumns = 4;

    // Which followers have a reason to read: new events, or a run that has ended or is gone. The condition is false for the others, so their order does not
    // matter. A subquery with a limit cannot become a join with the whole table. It gives no rows in the order of the primary key, because "any" is no
    // equality to the server: so it searches the index on (crawl_id, id). The ids, and the least of them, leave partitions out.
    internal const string LookSql =
        $"""
        select asked.position
        from unnest(@crawl_ids, @after_ids, @checks) with ordinality as asked (crawl_id, after_id, checks, position)
        left join crawl_runs as run on run.id = asked.crawl_id
        where run.status is null
           or run.status::text in ('COMPLETED', 'FAILED', 'CANCELLED')
           or (
               select id
               from crawl_events
               where crawl_id = any (array[asked.crawl_id]) and id > asked.after_id and id > @after_id
               order by crawl_id, id
               limit 1
           ) is not null
           or (
               true = any (@checks)
               and asked.checks
               and not {Citus.IsInstalled}
               and pg_catalog.has_sequence_privilege('crawl_events_id_seq', 'usage, select')
               and (
                   select id
                   from crawl_events
                   where crawl_id = any (array[asked.crawl_id])
                     and id > (select coalesce(pg_catalog.pg_sequence_last_value('crawl_events_id_seq'), 0))
                   order by crawl_id, id
                   limit 1
               ) is not null
           )
        """;

    // The same look where each crawl has a node of its own: whether each run has ended, and its newest event.
    internal const string LookByCrawlSql =
        """
        select crawl_runs.id, status::text in ('COMPLETED', 'FAILED', 'CANCELLED'),
               coalesce((select id from crawl_events where crawl_id = crawl_runs.id order by crawl_id desc, id desc limit 1), '-9223372036854775808'::bigint)
        from crawl_runs
        where id = any (@crawl_ids)
        """;

    // Each read finds out, until one finds Citus.
    private volatile bool isOnCitus;

    /// <summary>The bytes of payloads at which a read ends early.</summary>
    public long PageBytes { get; set; } = PageBuilder.MaxBytes;

    /// <summary>Runs a read, and retries it after a transient error.</summary>
    public Task<T> RetryAsync<T>(Func<Task<T>> read, CancellationToken cancellationToken) =>
        StandbyReadException.RetryAsync(retry, dataSource, read, cancellationToken);

    /// <summary>Whether an error concerns all reads alike, such as an outage.</summary>
    public bool ConcernsAll(Exception exception) => exception is not PostgresException server || retry.IsTransient(server);

    /// <summary>Reads events of all crawls up to the mark, and then advances the mark as far as it goes.</summary>
    public Task<EventPage> ReadAllAsync(HighWaterMark mark, long afterId, int limit, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var page = isOnCitus ? null : await ReadAllAsync(connection, mark, afterId, limit, cancellationToken).ConfigureAwait(false);
            return page ?? await ReadAllOnCitusAsync(connection, mark, afterId, limit, cancellationToken).ConfigureAwait(false);
        }, cancellationToken);

    /// <summary>Reads events of all crawls in one statement.</summary>
    /// <returns>The events; null on Citus.</returns>
    private async Task<EventPage?> ReadAllAsync(
        NpgsqlConnection connection, HighWaterMark mark, long afterId, int limit, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(Sql.AtReadCommitted(ReadAllSql), connection);
        await using (command.ConfigureAwait(false))
        {
            ToReadAllParameters(mark, afterId, limit).AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                isOnCitus = reader.GetBoolean(5);
                if (isOnCitus)
                {
                    return null;
                }

                var (newest, last, writing, start) = (
                    reader.GetInt64(0), reader.GetNullable<long?>(1), reader.GetNullable<string>(3), reader.GetInstant(4));
                Check(afterId, newest, last, isStandby: reader.GetBoolean(2));
                if (!mark.TryBegin(start, last))
                {
                    return EventPage.Empty;
                }

                var page = await EventPage.ReadAsync(command, reader, ReadAllColumns, limit, PageBytes, PassedOver(), cancellationToken).ConfigureAwait(false);
                if (writing is not null)
                {
                    mark.Advance(newest, HighWaterMark.Split(writing));
                }

                return page;
            }
        }
    }

    /// <summary>Reads events of all crawls on Citus.</summary>
    private async Task<EventPage> ReadAllOnCitusAsync(
        NpgsqlConnection connection, HighWaterMark mark, long afterId, int limit, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(Sql.AtReadCommitted(ReadAllOnCitus), connection);
        await using (command.ConfigureAwait(false))
        {
            ToReadAllParameters(mark, afterId, limit).AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                var newest = (await reader.ReadRowAsync(static row => row.GetInt64(0), cancellationToken).ConfigureAwait(false))!.Value;
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                var (last, isStandby, writers, start) = await NodeWriters.ReadAsync(reader, cancellationToken).ConfigureAwait(false);
                Check(afterId, newest, last, isStandby);
                if (!mark.TryBegin(start, last))
                {
                    return EventPage.Empty;
                }

                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                var page = await EventPage.ReadAsync(command, reader, 0, limit, PageBytes, PassedOver(), cancellationToken).ConfigureAwait(false);

                // A mark that is at the newest id already waits for nobody. It would begin to wait for a transaction whose event it does not know, and its
                // follower would miss that event's notification.
                if (mark.IsHeldBack || newest > Math.Max(afterId, mark.Id))
                {
                    mark.Advance(newest, writers);
                }

                return page;
            }
        }
    }

    private static Parameters ToReadAllParameters(HighWaterMark mark, long afterId, int limit) => new()
    {
        { "is_waiting", NpgsqlDbType.Boolean, mark.IsHeldBack },
        { "after_id", NpgsqlDbType.Bigint, afterId },
        { "up_to_id", NpgsqlDbType.Bigint, mark.Id },
        { "server_start", NpgsqlDbType.TimestampTz, mark.ServerStart },
        { "limit", NpgsqlDbType.Bigint, (long)limit },
    };

    /// <summary>Reads events of a crawl.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="afterId">Only events after this one; all when null.</param>
    /// <param name="pageSize">The most events.</param>
    /// <param name="checks">Whether to check that the sequence of ids is not behind the crawl's newest id.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <returns>The events, and whether the run had ended when they were read.</returns>
    public Task<(EventPage Page, bool HasEnded)> ReadAsync(
        Guid crawlId, long? afterId, int pageSize, bool checks, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var distribution = await CrawlDistribution.OfAsync(dataSource, connection, null, cancellationToken).ConfigureAwait(false);
            var sql = distribution.IsByCrawl ? FollowByCrawlSql : checks ? FollowCheckedSql : FollowSql;
            var command = new NpgsqlCommand(Sql.AtReadCommitted(sql), connection);
            await using var commandDisposal = command.ConfigureAwait(false);
            CrawlEventStatements.ToReadParameters(crawlId, null, afterId, pageSize).AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                if (reader.GetNullable<bool?>(0) is not { } ended)
                {
                    var error = new RowNotFoundException(CrawlEventStatements.RunsTable, [crawlId]);

                    // A standby may not have the run yet.
                    throw reader.GetBoolean(1) ? new StandbyReadException(error) : error;
                }

                // A sequence on a standby may lag. A role without rights on it does not check.
                if (!reader.GetBoolean(1) && reader.GetNullable<long?>(2) is { } newest && newest > reader.GetNullable<long?>(3))
                {
                    throw HighWaterMark.SequenceIsBehind(CrawlEventStatements.EventsTable, reader.GetInt64(3), newest);
                }

                // Without an event, the one row has none.
                var page = reader.IsDBNull(FollowColumns)
                    ? EventPage.Empty
                    : await EventPage.ReadOnAsync(
                        command, reader, FollowColumns, pageSize, PageBytes, PassedOver(), cancellationToken).ConfigureAwait(false);
                return (page, ended);
            }
        }, cancellationToken);

    /// <summary>Looks which groups of followers of one crawl have a reason to read.</summary>
    /// <returns>The indexes of those groups. Null when the server ended the look because it took too long: fewer groups may take less.</returns>
    public async Task<HashSet<int>?> LookAsync(IReadOnlyList<FollowGroup> groups)
    {
        var afterIds = groups.Select(group => group.Position.AfterId ?? long.MinValue).ToArray();
        var parameters = new Parameters
        {
            { "crawl_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, groups.Select(group => group.Position.CrawlId!.Value).ToArray() },
            { "after_ids", NpgsqlDbType.Array | NpgsqlDbType.Bigint, afterIds },
            { "after_id", NpgsqlDbType.Bigint, afterIds.Min() },
            { "checks", NpgsqlDbType.Array | NpgsqlDbType.Boolean, groups.Select(group => group.Checks).ToArray() },
        };
        try
        {
            if ((await CrawlDistribution.OfAsync(dataSource, null, CancellationToken.None).ConfigureAwait(false)).IsByCrawl)
            {
                var newest = (await dataSource.QueryAsync(
                    LookByCrawlSql,
                    parameters,
                    row => (Id: row.GetGuid(0), State: (HasEnded: row.GetBoolean(1), NewestId: row.GetInt64(2))),
                    null,
                    CancellationToken.None).ConfigureAwait(false)).ToDictionary(run => run.Id, run => run.State);
                return
                [
                    .. Enumerable.Range(0, groups.Count).Where(index =>
                        !newest.TryGetValue(groups[index].Position.CrawlId!.Value, out var run) || run.HasEnded || run.NewestId > afterIds[index]),
                ];
            }

            var indexes = await dataSource.QueryAsync(
                LookSql, parameters, row => (int)row.GetInt64(0) - 1, null, CancellationToken.None).ConfigureAwait(false);
            return [.. indexes];
        }
        catch (NpgsqlException exception) when (RetryPolicy.IsServerTimeout(exception))
        {
            return null;
        }
    }

    /// <summary>Checks that the server that answered knows all events up to a cursor.</summary>
    /// <param name="afterId">The cursor.</param>
    /// <param name="newest">The newest id in the table.</param>
    /// <param name="last">The last id that was drawn; null when the role may not know.</param>
    /// <param name="isStandby">Whether the server is a standby.</param>
    /// <exception cref="InvalidOperationException">The sequence is behind the newest id.</exception>
    /// <exception cref="InvalidValueException">The cursor is beyond all ids.</exception>
    private static void Check(long afterId, long newest, long? last, bool isStandby)
    {
        if (isStandby)
        {
            throw new StandbyReadException(new InvalidOperationException(
                "A standby does not know the primary's open transactions. Read the events of all crawls on the primary."));
        }

        if (newest > last)
        {
            throw HighWaterMark.SequenceIsBehind(CrawlEventStatements.EventsTable, last.Value, newest);
        }

        if (afterId > last)
        {
            throw new InvalidValueException(
                "cursor", $"is at id {afterId}, but the last id is {last}; it belongs to another database, or to a server that was lost");
        }
    }

    private PassedOverRows PassedOver() => new(telemetry, logger);
}

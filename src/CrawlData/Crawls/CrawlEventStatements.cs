using System.Data.Common;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>The SQL of <c>crawl_events</c>, its parameters, and the mapping of its rows.</summary>
internal sealed partial class CrawlEventStatements : AppendStatements<NewCrawlEvent>
{
    public const string EventsTable = "crawl_events";

    public const string RunsTable = "crawl_runs";

    // In the order in which Map reads them.
    public const string Columns = "id, crawl_id, event_type, payload, created_at";

    // For many rows. The coordinator of Citus parses each jsonb that it gets from a node, and a text it only passes on. That takes half the time.
    public const string ReadColumns = "id, crawl_id, event_type, payload::text, created_at";

    // The run's lock comes before the id: nextval runs for the row that the CTE returns. No row means an unknown crawl. A CTE inserts, because the server locks
    // the table of an outermost INSERT before all others once it has a plan: LockOrderTests tells why crawl_runs comes first.
    internal const string InsertOneSql =
        $"""
        with run as materialized (
            select id from crawl_runs where id = $1 for no key update
        ), inserted as (
            insert into crawl_events (crawl_id, event_type, payload, created_at)
            select id, $2, $3, coalesce($4, pg_catalog.now() at time zone 'utc') from run
            returning id
        )
        select id from inserted
        """;

    // As above, and does not wait for a run that another transaction has locked. No row means an unknown or a locked crawl.
    internal const string InsertOneAvailableSql =
        $"""
        with run as materialized (
            select id from crawl_runs where id = $1 for no key update skip locked
        ), inserted as (
            insert into crawl_events (crawl_id, event_type, payload, created_at)
            select id, $2, $3, coalesce($4, pg_catalog.now() at time zone 'utc') from run
            returning id
        )
        select id from inserted
        """;

    internal const string IdentitySql = $"{TransactionIdentity.Query} /* of crawl_events */";

    // For a row alone on Citus: there, these two take a third of the time that the one statement above takes.
    internal const string LockRunSql = "select id from crawl_runs where id = $1 for no key update";

    internal const string InsertLockedSql =
        """
        insert into crawl_events (crawl_id, event_type, payload, created_at)
        values ($1, $2, $3, coalesce($4, pg_catalog.now() at time zone 'utc'))
        returning id
        """;

    // Citus refuses a statement that locks the runs of several shards.
    private const string ShardsOfRuns =
        """
        select pg_catalog.get_shard_id_for_distribution_column('crawl_runs', id), id from pg_catalog.unnest($1) as asked (id) order by 1, 2
        """;

    // For several rows on Citus: there, these take a third of the time that ReserveSql takes.
    internal const string LockRunsSql = "select id, status::text from crawl_runs where id = any ($1) order by id for no key update";

    internal const string LockAvailableRunsSql = "select id, status::text from crawl_runs where id = any ($1) order by id for no key update skip locked";

    // After the run's lock, as in the statements for claims.
    internal const string LockClaimSql = "select run_id, claim from crawl_run_claims where run_id = $1 for share";

    internal const string LockTableSql = "insert into crawl_events (crawl_id, event_type, payload) select null::uuid, null, null::jsonb where false";

    // As above, and it inserts nothing either, because no id is less than itself. But Citus counts it as a write to the nodes of the runs, and so prepares
    // their parts of the transaction. A COPY after a lock does not count: such a part is committed alone, after the coordinator's, and its COMMIT may be lost.
    internal const string LockShardsSql =
        """
        insert into crawl_events (id, crawl_id, event_type, payload, created_at)
        select 0, id, '', '{}', created_at from crawl_runs where id = any ($1) and id < id
        """;

    internal const string DrawIdsSql =
        """
        select array(select pg_catalog.nextval('crawl_events_id_seq') from pg_catalog.generate_series(1, $1)), pg_catalog.row_security_active('crawl_events')
        """;

    // All locks come first, in id order, so that calls with several crawls cannot deadlock. The count takes the locks before the first id is drawn. It also
    // leaves out every row when a crawl is unknown. The call of nextval runs above the sort, in the order of the events.
    internal const string InsertSql =
        $"""
        with runs as materialized (
            select id from crawl_runs where id = any ($1) order by id for no key update
        ), inserted as (
            insert into crawl_events (crawl_id, event_type, payload, created_at)
            select coalesce(crawl_id, ($1)[1]), event_type, payload::jsonb, coalesce(created_at, pg_catalog.now() at time zone 'utc')
            from unnest($2, $3, $4, $5)
                with ordinality as events (crawl_id, event_type, payload, created_at, position)
            where (select pg_catalog.count(*) from runs) = pg_catalog.cardinality($1)
            order by position
            returning id
        )
        select pg_catalog.array_agg(id order by id) from inserted
        """;

    // As above, for the events of the runs that it locks. The sort reads all of them before the first id is drawn, and so takes all locks before it. As "is
    // true" is no join, the runs are hashed, however many the planner expects.
    internal const string InsertAvailableSql =
        $"""
        with runs as materialized (
            select id from crawl_runs where id = any ($1) order by id for no key update skip locked
        ), inserted as (
            insert into crawl_events (crawl_id, event_type, payload, created_at)
            select coalesce(crawl_id, ($1)[1]), event_type, payload::jsonb, coalesce(created_at, pg_catalog.now() at time zone 'utc')
            from unnest($2, $3, $4, $5)
                with ordinality as events (crawl_id, event_type, payload, created_at, position)
            where (coalesce(crawl_id, ($1)[1]) in (select id from runs)) is true
            order by position
            returning id
        )
        select pg_catalog.array_agg(id order by id), array(select id from runs) from inserted
        """;

    // As above: generate_series needs the count, and nextval needs both. The empty insert takes the table's lock before an id is drawn, as the other statements
    // do. HighWaterMark waits for the transactions that hold that lock.
    internal const string ReserveSql =
        $"""
        with runs as materialized (
            select id from crawl_runs where id = any ($1) order by id for no key update
        ), table_lock as (
            insert into crawl_events (crawl_id, event_type, payload) select null::uuid, null, null::jsonb where false
        )
        select array(
                   select pg_catalog.nextval('crawl_events_id_seq')
                   from pg_catalog.generate_series(1, case locked.runs when pg_catalog.cardinality($1) then $2 else 0 end)),
               pg_catalog.row_security_active('crawl_events')
        from (select pg_catalog.count(*) as runs from runs) as locked
        """;

    // As above, for the events of the runs that it locks. The sum takes the locks.
    internal const string ReserveAvailableSql =
        $"""
        with runs as materialized (
            select id from crawl_runs where id = any ($1) order by id for no key update skip locked
        ), table_lock as (
            insert into crawl_events (crawl_id, event_type, payload) select null::uuid, null, null::jsonb where false
        )
        select array(select pg_catalog.nextval('crawl_events_id_seq') from pg_catalog.generate_series(1, locked.rows)),
               pg_catalog.row_security_active('crawl_events'),
               array(select id from runs)
        from (
            select coalesce(pg_catalog.sum(asked.rows), 0)::integer as rows
            from runs join unnest($1, $2) as asked (id, rows) using (id)
        ) as locked
        """;

    internal const string LockParentSql = "select id from crawl_runs where id = @parent_id for no key update";

    internal const string RowIsOfTransactionSql =
        "select created_at = @transaction_start at time zone 'utc' from crawl_events where id = @row_id and crawl_id = @parent_id";

    internal const string CopySql = $"copy crawl_events ({Columns}) from stdin (format binary)";

    internal const string UnknownParentsSql =
        """
        select id from pg_catalog.unnest(@parent_ids) as asked (id)
        where id <> all (array(select id from crawl_runs where id = any (@parent_ids)))
        """;

    // For look-ups of a first or last event. With a subquery, the server plans for any crawl. For the newest crawl, whose id is the greatest, it would look up
    // the end of the index for each comparison while it plans: five pages. Not beside other conditions: the server may then read the whole crawl, and sort it.
    internal const string AskedCrawl = "(select @crawl_id)";

    // The row comparisons keep a generic plan on the index (crawl_id, id). With "id > @after_id" the plan may scan the primary key. With "crawl_id = @crawl_id"
    // beside them, the server's search in the index would begin at the crawl's first event. It is for statements with a limit alone: the server takes the two
    // comparisons for a quarter of the table, and reads all of it when there is no limit.
    internal const string Condition =
        $"""
        where (crawl_id, id) > (@crawl_id, @after_id)
          and (crawl_id, id) <= (@crawl_id, @up_to_id)
          {Filters}
        """;

    // As above, where each crawl has a node of its own. Citus sends a query to one node when its condition names one crawl. PostgreSQL does not treat "any" as
    // an equality, so the node reads the rows from the index on (crawl_id, id).
    internal const string ConditionByCrawl =
        $"""
        where crawl_id = any (array[@crawl_id]) and id > @after_id and id <= @up_to_id
          {Filters}
        """;

    // For counts. The server knows how many events a crawl has.
    internal const string CountCondition =
        $"""
        where crawl_id = @crawl_id and id > @after_id and id <= @up_to_id
          {Filters}
        """;

    private const string Filters =
        """
        and (@event_types is null or event_type::text = any (@event_types))
          and (@created_from is null or created_at >= @created_from)
          and (@created_before is null or created_at < @created_before)
        """;

    // For the first or the last event of a crawl. With "crawl_id = @crawl_id", where few crawls have most events, the server may scan the primary key instead:
    // all events of other crawls that came later.
    internal const string OfCrawl =
        $"(crawl_id, id) >= ({AskedCrawl}, '-9223372036854775808'::bigint) and (crawl_id, id) <= ({AskedCrawl}, 9223372036854775807)";

    // As above, for the crawl of a row of crawl_runs.
    internal const string OfRun =
        "(crawl_id, id) >= (crawl_runs.id, '-9223372036854775808'::bigint) and (crawl_id, id) <= (crawl_runs.id, 9223372036854775807)";

    internal const string ReadSql = $"select {ReadColumns} from crawl_events {Condition} order by crawl_id, id limit @limit";

    internal const string ReadByCrawlSql = $"select {ReadColumns} from crawl_events {ConditionByCrawl} order by crawl_id, id limit @limit";

    // The equality says how many events the crawl has. The comparisons keep a generic plan on the index (crawl_id, id).
    internal const string StreamSql = $"select {ReadColumns} from crawl_events {Condition} and crawl_id = @crawl_id order by crawl_id, id";

    // As above, without a filter. The first array among its parameters costs a process 15 ms, because the driver then prepares all types of arrays.
    internal const string ReadAllSql =
        $"""
        select {Columns} from crawl_events
        where crawl_id = @crawl_id and (crawl_id, id) > (@crawl_id, @after_id)
        order by crawl_id, id
        """;

    internal const string CountSql = $"select pg_catalog.count(*) from crawl_events {CountCondition}";

    internal const string CountByTypeSql = $"select event_type, pg_catalog.count(*) from crawl_events {CountCondition} group by event_type";

    internal const string GetSql = $"select {Columns} from crawl_events where crawl_id = @crawl_id and id = @row_id";

    internal const string LastSql = $"select {Columns} from crawl_events where {OfCrawl} order by crawl_id desc, id desc limit 1";

    internal const string LastByCrawlSql =
        $"select {Columns} from crawl_events where crawl_id = any (array[@crawl_id]) order by crawl_id desc, id desc limit 1";

    public static readonly CrawlEventStatements Instance = new();

    public override string Table => EventsTable;

    public override string ParentTable => RunsTable;

    public override string RowsName => "events";

    public override string? InsertOne => InsertOneSql;

    public override (string Lock, string Insert)? InsertOneInSteps => (LockRunSql, InsertLockedSql);

    public override ReservationSteps? ReserveInSteps { get; } =
        new(ShardsOfRuns, LockRunsSql, LockAvailableRunsSql, LockClaimSql, LockTableSql, LockShardsSql, DrawIdsSql, CrawlStatus.Running.ToLabel());

    public override string Insert => InsertSql;

    public override string Reserve => ReserveSql;

    public override string InsertOneAvailable => InsertOneAvailableSql;

    public override string InsertAvailable => InsertAvailableSql;

    public override string ReserveAvailable => ReserveAvailableSql;

    public override string Copy => CopySql;

    public override string UnknownParents => UnknownParentsSql;

    public override string Identity => IdentitySql;

    public override string LockParent => LockParentSql;

    public override string RowIsOfTransaction => RowIsOfTransactionSql;

    public override int BytesOf(NewCrawlEvent row) => row.Payload.Utf8.Length;

    public override Instant? TimeOf(NewCrawlEvent row) => row.CreatedInstant;

    public override void AddParameters(NpgsqlParameterCollection parameters, Guid parentId, NewCrawlEvent row)
    {
        parameters.AddValue(NpgsqlDbType.Uuid, parentId);
        parameters.AddValue(NpgsqlDbType.Varchar, row.EventType);
        parameters.AddValue(NpgsqlDbType.Jsonb, row.Payload.Utf8);
        parameters.AddValue(NpgsqlDbType.Timestamp, TimeOf(row)?.Microseconds);
    }

    public override void AddColumns(NpgsqlParameterCollection parameters, IReadOnlyList<NewCrawlEvent> rows)
    {
        parameters.AddTexts(rows, static row => row.EventType);
        parameters.AddTexts(rows, static row => row.Payload.Utf8);
        parameters.AddTimes("timestamp without time zone[]", rows, static row => row.CreatedInstant);
    }

    public override short CopyColumns => 5;

    public override async ValueTask WriteAsync(BinaryCopy copy, NewCrawlEvent row)
    {
        await copy.WriteAsync(row.EventType).ConfigureAwait(false);
        await copy.WriteJsonbAsync(row.Payload.Utf8).ConfigureAwait(false);
    }

    // A page ends at these bytes.
    public static long Bytes(CrawlEvent crawlEvent) => crawlEvent.Payload.Utf8.Length;

    /// <summary>Makes a map of rows. It reuses the strings of event types, so each reader needs one of its own.</summary>
    public static Func<DbDataReader, CrawlEvent> Map() => Map(0);

    /// <inheritdoc cref="Map()"/>
    /// <param name="column">The first column of the event.</param>
    public static Func<DbDataReader, CrawlEvent> Map(int column)
    {
        var eventTypes = new RepeatedText(maxLength: 50);
        return row => new CrawlEvent
        {
            Id = row.GetInt64(column),
            CrawlId = row.GetGuid(column + 1),
            EventType = eventTypes.Get(row, column + 2),
            Payload = row.GetJsonb(column + 3),
            CreatedAt = row.GetTime(EventsTable, column + 4),
        };
    }

    /// <summary>Makes the parameters of <see cref="ReadSql"/>.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="filter">Which events; all when null.</param>
    /// <param name="afterId">Only events after this one. If the filter has an id too, the greater id applies.</param>
    /// <param name="limit">The most events.</param>
    public static Parameters ToReadParameters(Guid crawlId, CrawlEventFilter? filter, long? afterId, int limit)
    {
        var parameters = ToFilterParameters(crawlId, filter, afterId);
        parameters.Add("limit", NpgsqlDbType.Bigint, (long)limit);
        return parameters;
    }

    /// <summary>Makes the parameters of <see cref="ReadAllSql"/>.</summary>
    public static Parameters ToReadAllParameters(Guid crawlId, long? afterId) => new()
    {
        { "crawl_id", NpgsqlDbType.Uuid, crawlId },
        { "after_id", NpgsqlDbType.Bigint, afterId ?? long.MinValue },
    };

    /// <summary>Makes the parameters of <see cref="StreamSql"/>, <see cref="CountSql"/> and <see cref="CountByTypeSql"/>.</summary>
    public static Parameters ToFilterParameters(Guid crawlId, CrawlEventFilter? filter, long? afterId = null)
    {
        filter ??= CrawlEventFilter.All;
        return new Parameters
        {
            { "crawl_id", NpgsqlDbType.Uuid, crawlId },
            { "after_id", NpgsqlDbType.Bigint, Math.Max(filter.AfterId ?? long.MinValue, afterId ?? long.MinValue) },
            { "up_to_id", NpgsqlDbType.Bigint, filter.UpToId ?? long.MaxValue },
            { "event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.EventTypes?.ToArray() },
            { "created_from", NpgsqlDbType.Timestamp, Instant.From(filter.CreatedFrom) },
            { "created_before", NpgsqlDbType.Timestamp, Instant.From(filter.CreatedBefore) },
        };
    }
}

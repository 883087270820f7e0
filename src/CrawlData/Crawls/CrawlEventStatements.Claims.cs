namespace CrawlData.Crawls;

// The statements for events that are written under a claim. They do as those without claims, and append nothing when a claim is lost.
internal sealed partial class CrawlEventStatements
{
    private const string LockedRuns = "select id, status from crawl_runs where id = any ($1) order by id for no key update";

    // The locks of all runs come first: the array has them. A claim changes only under its run's lock, so none changes from here on. But this statement may
    // have waited for the run's lock, and its snapshot is older. The lock of the claim's row shows the number that was committed meanwhile, as the lock of the
    // run's row shows the status.
    private const string LostClaimsBegin =
        """
        claims as materialized (
            select run_id, claim from crawl_run_claims where run_id = any (array(select id from runs)) order by run_id for share
        ), lost as materialized (
            select position
            from rows from
        """;

    private const string LostClaimsEnd =
        """
            with ordinality as asked (run_id, claim, outlives_run, position)
            join runs on runs.id = asked.run_id
            where (runs.status operator(pg_catalog.<>) 'RUNNING' and not asked.outlives_run)
               or not exists (select from claims where claims.run_id = asked.run_id and claims.claim = asked.claim)
        )
        """;

    // The claims come after the other parameters.
    private const string LostClaimsOfInsert =
        $"{LostClaimsBegin} (pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8)) {LostClaimsEnd}";

    private const string LostClaimsOfReserve =
        $"{LostClaimsBegin} (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5)) {LostClaimsEnd}";

    private const string Lost = "array(select position from lost order by position) as lost";

    private const string TableLock =
        "table_lock as (insert into crawl_events (crawl_id, event_type, payload) select null::uuid, null, null::jsonb where false)";

    private const string InsertEvents =
        """
        insert into crawl_events (crawl_id, event_type, payload, created_at)
        select coalesce(crawl_id, ($1)[1]), event_type, payload::jsonb, coalesce(created_at, pg_catalog.now() at time zone 'utc')
        from rows from (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5))
            with ordinality as events (crawl_id, event_type, payload, created_at, position)
        where not exists (select from lost)
        """;

    internal const string InsertClaimedSql =
        $"""
        with runs as materialized ({LockedRuns}), {LostClaimsOfInsert}, inserted as (
            {InsertEvents} and (select pg_catalog.count(*) from runs) = pg_catalog.cardinality($1)
            order by position
            returning id
        )
        select pg_catalog.array_agg(id order by id), {Lost} from inserted
        """;

    internal const string InsertAvailableClaimedSql =
        $"""
        with runs as materialized ({LockedRuns} skip locked), {LostClaimsOfInsert}, inserted as (
            {InsertEvents} and (coalesce(crawl_id, ($1)[1]) in (select id from runs)) is true
            order by position
            returning id
        )
        select pg_catalog.array_agg(id order by id), {Lost}, array(select id from runs) from inserted
        """;

    internal const string ReserveClaimedSql =
        $"""
        with runs as materialized ({LockedRuns}), {TableLock}, {LostClaimsOfReserve}
        select array(select pg_catalog.nextval('crawl_events_id_seq') from pg_catalog.generate_series(1, locked.rows)),
               pg_catalog.row_security_active('crawl_events'::text),
               {Lost}
        from (
            select case when count = pg_catalog.cardinality($1) and not exists (select from lost) then $2 else 0 end as rows
            from (select pg_catalog.count(*) from runs) as counted
        ) as locked
        """;

    internal const string ReserveAvailableClaimedSql =
        $"""
        with runs as materialized ({LockedRuns} skip locked), {TableLock}, {LostClaimsOfReserve}
        select array(select pg_catalog.nextval('crawl_events_id_seq') from pg_catalog.generate_series(1, locked.rows)),
               pg_catalog.row_security_active('crawl_events'::text),
               {Lost},
               array(select id from runs)
        from (
            select coalesce(pg_catalog.sum(asked.rows), 0)::integer as rows
            from runs
            join rows from (pg_catalog.unnest($1), pg_catalog.unnest($2)) as asked (id, rows) using (id)
            where not exists (select from lost)
        ) as locked
        """;

    public override string InsertClaimed => InsertClaimedSql;

    public override string InsertAvailableClaimed => InsertAvailableClaimedSql;

    public override string ReserveClaimed => ReserveClaimedSql;

    public override string ReserveAvailableClaimed => ReserveAvailableClaimedSql;
}

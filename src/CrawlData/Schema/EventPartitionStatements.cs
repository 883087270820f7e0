namespace CrawlData.Schema;

/// <summary>The statements of <see cref="EventPartitioner"/>. The search path must have only the schema. DDL takes no parameters and the table's owner, rights
/// and comments are known to the server alone. So some queries return statements, with each name and literal quoted by the server.</summary>
internal static class EventPartitionStatements
{
    /// <summary>The constraint that lets the old table become a partition without being read. It exists only while a table is being converted.</summary>
    public const string Constraint = "crawl_events_partitioning";

    private const string Table =
        """
        (select oid from pg_catalog.pg_class
         where relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid and relname = 'crawl_events')
        """;

    internal const string StateSql =
        $"""
        select relkind = 'p', coalesce(pg_catalog.pg_get_partkeydef(pg_class.oid), ''),
               (select pg_catalog.pg_get_constraintdef(pg_constraint.oid) from pg_catalog.pg_constraint
                where conrelid = pg_class.oid and conname = '{Constraint}'),
               coalesce(pg_catalog.pg_sequence_last_value('crawl_events_id_seq'), 0)
        from pg_catalog.pg_class
        where oid = {Table}
        """;

    internal const string ListPartitionsSql =
        $"""
        select relname::text, bounds[1]::bigint, bounds[2]::bigint, nullif(reltuples, (-1)::real)::bigint,
               pg_catalog.pg_total_relation_size(pg_class.oid), inhdetachpending
        from pg_catalog.pg_inherits
        join pg_catalog.pg_class on pg_class.oid = inhrelid
        cross join lateral pg_catalog.regexp_match(
            pg_catalog.pg_get_expr(relpartbound, pg_class.oid), '[(](?:MINVALUE|''(-?[0-9]+)'')[)] TO [(]''(-?[0-9]+)''[)]'::text) as bounds
        where inhparent = {Table} and relispartition and bounds is not null
        order by bounds[2]::bigint
        """;

    internal const string LastIdSql = "select coalesce(pg_catalog.pg_sequence_last_value('crawl_events_id_seq'), 0)";

    // What the new table would not have, or what would go on to mean the old one: references are by oid.
    internal const string ObstaclesSql =
        $"""
        with events as (
            select * from pg_catalog.pg_class where oid = {Table}
        )
        select 'unlogged table' as obstacle from events where relpersistence <> 'p'
        union all
        select 'replica identity' from events where relreplident <> 'd'
        union all
        select 'trigger ' || pg_catalog.quote_ident(tgname) from events join pg_catalog.pg_trigger on tgrelid = events.oid and not tgisinternal
        union all
        select 'rule ' || pg_catalog.quote_ident(rulename) from events join pg_catalog.pg_rewrite on ev_class = events.oid
        union all
        select 'inheritance' from events join pg_catalog.pg_inherits on inhrelid = events.oid or inhparent = events.oid
        union all
        select 'constraint ' || pg_catalog.quote_ident(conname)
        from events
        join pg_catalog.pg_constraint on conrelid = events.oid
        where contype in ('c', 'u', 'x') and conname <> '{Constraint}' or contype = 'f' and not convalidated
        union all
        select 'index ' || pg_catalog.quote_ident(pg_class.relname)
        from events
        join pg_catalog.pg_index on indrelid = events.oid
        join pg_catalog.pg_class on pg_class.oid = indexrelid
        where indisunique and not indisprimary and not exists (select from pg_catalog.pg_constraint where conindid = indexrelid)
           or not indisvalid
        union all
        select pg_catalog.pg_describe_object(classid, objid, objsubid)
        from events
        join pg_catalog.pg_depend on
            refclassid = 'pg_class'::regclass::oid and refobjid = events.oid
            or refclassid = 'pg_type'::regclass::oid
               and refobjid in (select reltype union all select typarray from pg_catalog.pg_type where pg_type.oid = reltype)
        where deptype = 'n'
          and not (classid = 'pg_policy'::regclass::oid and objid in (select oid from pg_catalog.pg_policy where polrelid = events.oid))
          and not (classid = 'pg_constraint'::regclass::oid and objid in (select oid from pg_catalog.pg_constraint where conrelid = events.oid))
          and not (classid = 'pg_attrdef'::regclass::oid and objid in (select oid from pg_catalog.pg_attrdef where adrelid = events.oid))
          and not (classid = 'pg_trigger'::regclass::oid and objid in (select oid from pg_catalog.pg_trigger where tgrelid = events.oid))
          and not (classid = 'pg_publication_rel'::regclass::oid and objid in (select oid from pg_catalog.pg_publication_rel where prrelid = events.oid))
        order by obstacle
        """;

    internal const string AddConstraintSql =
        $"select pg_catalog.format('alter table crawl_events add constraint {Constraint} check (id < %L::bigint) not valid', @up_to_id)";

    internal const string DropConstraintSql = $"alter table crawl_events drop constraint if exists {Constraint}";

    internal const string ValidateSql = $"alter table crawl_events validate constraint {Constraint}";

    // Readers of a table wait for the swap, too. All statements of the library lock the runs first, so none of them holds a lock that this one waits for, and
    // waits for it. A caller's statement may; lock_timeout ends the wait before deadlock_timeout.
    internal const string LockSql = "lock table crawl_runs, crawl_events in access exclusive mode";

    // Two processes that make the next partition take turns. Readers and writers do not wait. Without "only" it would lock the partitions, too, and wait for
    // their autovacuums.
    internal const string LockPartitionsSql = "lock table only crawl_events in share update exclusive mode";

    internal const string LockTimeoutSql = "set local lock_timeout = '300ms'";

    // An autovacuum gives its lock up to a session that has waited for deadlock_timeout, which is 1 s by default. No reader or writer waits for this lock.
    internal const string EndAutovacuumSql =
        """
        select 'lock table only crawl_runs, only crawl_events' || coalesce(', only ' || pg_catalog.quote_ident(@table), '')
            || ' in share update exclusive mode'
        """;

    internal const string EndAutovacuumTimeoutSql = "set local lock_timeout = '5s'";

    // The first id drawn after a restart would show followers a sequence without a last value: so one id is drawn at once. Both are undone by a rollback,
    // which setval is not.
    internal const string SwapSql =
        $"""
        with events as (
            select pg_class.*, pg_catalog.pg_get_userbyid(relowner) as owner from pg_catalog.pg_class where oid = {Table}
        ), indexes as (
            select indexrelid, relname as name, indisprimary,
                   @table || case when indisprimary then '_pkey' else '_idx' || pg_catalog.row_number() over (order by indisprimary, relname)::text end
                       as renamed,
                   pg_catalog.substr(
                       pg_catalog.pg_get_indexdef(indexrelid),
                       pg_catalog.length(pg_catalog.format('create index %I on %I.crawl_events ', relname, current_schema)) + 1)
                       as definition
            from (select indexrelid, pg_class.relname, indisprimary, pg_catalog.current_schema() as current_schema
                  from events join pg_catalog.pg_index on indrelid = events.oid join pg_catalog.pg_class on pg_class.oid = indexrelid) as named
        ), grants as (
            select '' as columns, acl.* from events cross join pg_catalog.aclexplode(relacl) as acl where grantee <> relowner
            union all
            select pg_catalog.format(' (%I)', attname), acl.*
            from events join pg_catalog.pg_attribute on attrelid = events.oid and attnum > 0 and not attisdropped
            cross join pg_catalog.aclexplode(attacl) as acl where grantee <> relowner
        ), statements as (
            select 1 as step, pg_catalog.format('alter table crawl_events rename to %I', @table) as statement
            union all
            select 2, pg_catalog.format('alter index %I rename to %I', name, renamed) from indexes
            union all
            select 3, pg_catalog.format(
                'create table crawl_events (like %I including defaults including storage including compression including generated including comments '
                    || 'including statistics) partition by range (id)', @table)
            union all
            select 4, pg_catalog.format('alter table crawl_events owner to %I', owner) from events
            union all
            select 5, pg_catalog.format('alter table crawl_events add constraint %I primary key (id)', name) from indexes where indisprimary
            union all
            select 6, pg_catalog.format('create index %I on crawl_events %s', name, definition) from indexes where not indisprimary
            union all
            select 7, pg_catalog.format('alter table crawl_events attach partition %I for values from (minvalue) to (%L)', @table, @up_to_id)
            union all
            select 8, pg_catalog.format('alter table crawl_events add constraint %I %s', conname, pg_catalog.pg_get_constraintdef(pg_constraint.oid))
            from events join pg_catalog.pg_constraint on conrelid = events.oid where contype = 'f'
            union all
            select 9, pg_catalog.format('alter table %I drop constraint {Constraint}', @table)
            union all
            select 10, pg_catalog.format('alter sequence crawl_events_id_seq owned by crawl_events.id restart with %s', @up_to_id - 1)
            union all
            select 11, 'select pg_catalog.nextval(''crawl_events_id_seq'')'
            union all
            select 12, pg_catalog.format(
                'create policy %I on crawl_events as %s for %s to %s%s%s',
                polname,
                case when polpermissive then 'permissive' else 'restrictive' end,
                case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
                (select pg_catalog.string_agg(case when role = 0::oid then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role)) end, ', ')
                 from pg_catalog.unnest(polroles) as roles (role)),
                ' using (' || pg_catalog.pg_get_expr(polqual, polrelid) || ')',
                ' with check (' || pg_catalog.pg_get_expr(polwithcheck, polrelid) || ')')
            from events join pg_catalog.pg_policy on polrelid = events.oid
            union all
            select 13, 'alter table crawl_events enable row level security' from events where relrowsecurity
            union all
            select 13, 'alter table crawl_events force row level security' from events where relforcerowsecurity
            union all
            select 14, pg_catalog.format('comment on table crawl_events is %L', description)
            from events join pg_catalog.pg_description on objoid = events.oid and classoid = 'pg_class'::regclass::oid and objsubid = 0
            union all
            select 14, pg_catalog.format('comment on index %I is %L', name, description)
            from indexes join pg_catalog.pg_description on objoid = indexrelid and classoid = 'pg_class'::regclass::oid
            union all
            select 14, pg_catalog.format('comment on constraint %I on crawl_events is %L', conname, description)
            from events join pg_catalog.pg_constraint on conrelid = events.oid
            join pg_catalog.pg_description on objoid = pg_constraint.oid and classoid = 'pg_constraint'::regclass::oid
            where contype in ('p', 'f')
            union all
            select 15, pg_catalog.format(
                'grant %s%s on crawl_events to %s%s',
                privilege_type,
                columns,
                case when grantee = 0::oid then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) end,
                case when is_grantable then ' with grant option' else '' end)
            from grants
            union all
            select 16, pg_catalog.format('alter publication %I drop table %I', pubname, @table)
            from events join pg_catalog.pg_publication_rel on prrelid = events.oid join pg_catalog.pg_publication on pg_publication.oid = prpubid
            union all
            select 19, pg_catalog.format(
                'alter publication %I add table crawl_events%s%s',
                pubname,
                (select ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ') || ')'
                 from pg_catalog.pg_attribute where attrelid = events.oid and attnum = any (prattrs::smallint[])),
                ' where (' || pg_catalog.pg_get_expr(prqual, prrelid) || ')')
            from events join pg_catalog.pg_publication_rel on prrelid = events.oid join pg_catalog.pg_publication on pg_publication.oid = prpubid
            union all
            select 18, pg_catalog.format('alter publication %I set (publish_via_partition_root = true)', pubname)
            from events
            join pg_catalog.pg_publication on
                puballtables
                or pg_publication.oid in (select prpubid from pg_catalog.pg_publication_rel where prrelid = events.oid)
                or pg_publication.oid in (select pnpubid from pg_catalog.pg_publication_namespace where pnnspid = events.relnamespace)
            where not pubviaroot
        )
        select step, statement from statements where statement is not null order by step
        """;

    // Rights that others get by default. Statements through crawl_events need no rights on a partition, and directly they would pass its policies over.
    internal const string RevokeSql =
        """
        select distinct pg_catalog.format(
            'revoke all on %I from %s', relname, case when grantee = 0::oid then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) end)
        from pg_catalog.pg_class
        cross join pg_catalog.aclexplode(relacl)
        where relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid and relname::text = @table and grantee <> relowner
        """;

    // As the partition before it, and attached when it has all that. Indexes and the foreign key come with the attachment, of an empty table.
    internal const string CreatePartitionSql =
        $"""
        with newest as (
            select newest.*, pg_catalog.pg_get_userbyid(events.relowner) as owner
            from pg_catalog.pg_class as newest
            cross join (select relowner from pg_catalog.pg_class where oid = {Table}) as events
            where newest.relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid and newest.relname::text = @like_table
        )
        select pg_catalog.format(
            'create table %I (like crawl_events including defaults including storage including compression including generated)%s%s',
            @table,
            (select ' with (' || pg_catalog.string_agg(pg_catalog.format('%s = %L', option_name, option_value), ', ') || ')'
             from pg_catalog.pg_options_to_table(reloptions)),
            (select pg_catalog.format(' tablespace %I', spcname) from pg_catalog.pg_tablespace where pg_tablespace.oid = reltablespace))
        from newest
        union all
        select pg_catalog.format('alter table %I owner to %I', @table, owner) from newest
        """;

    internal const string AttachPartitionSql =
        """
        select pg_catalog.format(
            'alter table crawl_events attach partition %I for values from (%s) to (%L)',
            @table, coalesce(pg_catalog.quote_literal(@after_id), 'minvalue'), @up_to_id)
        """;

    // The table of a range whose partition was detached, and not yet dropped.
    internal const string ListDetachedSql =
        """
        select relname::text, nullif(reltuples, (-1)::real)::bigint, pg_catalog.pg_total_relation_size(oid)
        from pg_catalog.pg_class
        where relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
          and relname::text ~ '^crawl_events_[0-9]+_to_[0-9]+$'::text and relkind = 'r' and not relispartition
        order by relname
        """;

    internal const string DetachSql =
        "select pg_catalog.format('alter table %1$I.crawl_events detach partition %1$I.%2$I concurrently', pg_catalog.current_schema(), @table)";

    internal const string DetachSettingsSql = "set lock_timeout = '300ms'; set statement_timeout = 0";

    internal const string ResetSettingsSql = "reset lock_timeout; reset statement_timeout";

    // A table's drop needs it, too: the table refers to the runs.
    internal const string LockRunsSql = "lock table crawl_runs in access exclusive mode";

    internal const string FinalizeSql = "select pg_catalog.format('alter table crawl_events detach partition %I finalize', @table)";

    internal const string DropSql = "select pg_catalog.format('drop table %I', @table)";

    // The runs whose events a partition holds, the newest first. The index has each of them at one place, however many events it has.
    internal const string ListCrawlsSql =
        """
        select pg_catalog.format(
            'with recursive held (crawl_id) as (
                (select crawl_id from %1$I where crawl_id <= @from_key order by crawl_id desc limit 1)
                union all
                select (select events.crawl_id from %1$I as events where events.crawl_id < held.crawl_id order by events.crawl_id desc limit 1)
                from held where held.crawl_id is not null
             )
             select crawl_id from held where crawl_id is not null limit @limit',
            @table)
        """;

    internal const string AnalyzeSql = "analyze crawl_events";
}

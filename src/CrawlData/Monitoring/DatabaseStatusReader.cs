using System.Data;
using System.Data.Common;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Diagnostics;

/// <summary>Reads the state of a database: the facts that an operator looks at first.</summary>
/// <remarks>
/// <para><b>Cost.</b> It counts runs and audit sessions, and so reads all of <c>crawl_runs</c> and <c>audit_sessions</c>, or an index of each. All other facts
/// come from few pages of an index, or from PostgreSQL's catalog. Events and log lines are not read. Only <see cref="TableStatus.EstimatedRows"/> is an
/// estimate.</para>
/// <para><b>Rights.</b> It works on a standby too. It needs SELECT on the six tables, and for <see cref="DatabaseStatus.Scripts"/> on
/// <c>crawldata_journal</c>.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="loggerFactory">Logs runs and sessions that are not counted, because this version does not know their status; may be null.</param>
/// <example>
/// <code>
/// var status = await new DatabaseStatusReader(dataSource).ReadAsync();
/// Console.WriteLine($"{status.Runs[CrawlStatus.Running]} runs, {status.Sessions[AuditSessionStatus.Queued]} queued sessions");
/// </code>
/// </example>
public sealed class DatabaseStatusReader(NpgsqlDataSource dataSource, ILoggerFactory? loggerFactory = null)
{
    internal const string ServerSql =
        """
        select pg_catalog.now(), pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), coalesce(pg_catalog.current_schema(), '')
        """;

    // A partitioned table has the rows and the sizes of its partitions.
    internal const string TablesSql =
        """
        select relname, sizes.rows, sizes.bytes, sizes.index_bytes
        from pg_catalog.unnest('{crawl_runs, crawl_events, audit_sessions, audit_pages, artifacts, crawl_logs}'::name[])
            with ordinality as tables (name, position)
        join pg_catalog.pg_class on relname = name and relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
        cross join lateral (
            select pg_catalog.sum(nullif(parts.reltuples, (-1)::real)::bigint) filter (where parts.relkind <> 'p')::bigint as rows,
                   pg_catalog.sum(pg_catalog.pg_total_relation_size(parts.oid))::bigint as bytes,
                   pg_catalog.sum(pg_catalog.pg_indexes_size(parts.oid))::bigint as index_bytes
            from pg_catalog.pg_class as parts
            where parts.oid = pg_class.oid
               or parts.relispartition and parts.oid in (select inhrelid from pg_catalog.pg_inherits where inhparent = pg_class.oid)
        ) as sizes
        order by position
        """;

    // Citus keeps the rows of distributed tables in shards. The tables themselves are empty. It is sent only where Citus is, and cannot be prepared elsewhere.
    private const string ShardedTables =
        """
        select relname,
               (select pg_catalog.sum(case when success and result::bigint >= 0 then result::bigint end)::bigint
                from pg_catalog.run_command_on_shards(
                    pg_class.oid::regclass, 'select reltuples::bigint from pg_catalog.pg_class where oid = ''%s''::regclass::oid')),
               pg_catalog.citus_total_relation_size(pg_class.oid::regclass),
               pg_catalog.citus_total_relation_size(pg_class.oid::regclass) - pg_catalog.citus_table_size(pg_class.oid::regclass)
        from pg_catalog.pg_class
        join pg_catalog.pg_dist_partition on logicalrelid::oid = pg_class.oid
        where relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
          and relname in ('crawl_runs', 'crawl_events', 'audit_sessions', 'audit_pages', 'artifacts', 'crawl_logs')
        """;

    // The order begins with the status, and no condition says that it is one status: a generic plan would walk the index on creation otherwise.
    internal const string OldestRunsSql =
        """
        select unfinished_status::text, id, created_at at time zone 'utc'
        from (
            (select 'PENDING'::crawl_status as unfinished_status, id, created_at
             from crawl_runs
             where status operator(pg_catalog.>=) 'PENDING' and status operator(pg_catalog.<=) 'PENDING'
               and created_at >= '0001-01-01' and created_at < '10000-01-01'
             order by status, created_at, id
             limit 1)
            union all
            (select 'RUNNING'::crawl_status, id, created_at
             from crawl_runs
             where status operator(pg_catalog.>=) 'RUNNING' and status operator(pg_catalog.<=) 'RUNNING'
               and created_at >= '0001-01-01' and created_at < '10000-01-01'
             order by status, created_at, id
             limit 1)
        ) as oldest
        """;

    internal const string OldestSessionsSql =
        """
        select unfinished_status::text, id, created_at
        from pg_catalog.unnest('{queued, running}'::audit_session_status_enum[]) as unfinished (unfinished_status)
        cross join lateral (
            select id, created_at from audit_sessions
            where status operator(pg_catalog.=) unfinished_status and created_at >= '0001-01-01 00:00:00+00' and created_at < '10000-01-01 00:00:00+00'
            order by created_at limit 1
        ) as oldest
        """;

    internal const string ExpiredSql =
        """
        select pg_catalog.count(*), least(coalesce(pg_catalog.sum(size_bytes), 0), 9223372036854775807)::bigint,
               pg_catalog.min(retention_until) filter (where retention_until >= '0001-01-01 00:00:00+00')
        from artifacts
        where deleted_at is null and retention_until <= pg_catalog.now()
        """;

    internal const string NewestEventSql = "select pg_catalog.max(id) from crawl_events";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));

    private readonly CrawlRunRepository runs = new(dataSource, logger: loggerFactory?.CreateLogger<CrawlRunRepository>());
    private readonly AuditSessionRepository sessions = new(dataSource, logger: loggerFactory?.CreateLogger<AuditSessionRepository>());

    /// <summary>Reads the state in one snapshot. Sizes and estimates are not part of the snapshot.</summary>
    /// <param name="cancellationToken">Cancels the queries.</param>
    /// <returns>The state.</returns>
    /// <exception cref="PostgresException">A table is missing (SQLSTATE <c>42P01</c>): the database has not been migrated. Or the role lacks a right
    /// (<c>42501</c>).</exception>
    public Task<DatabaseStatus> ReadAsync(CancellationToken cancellationToken = default) => dataSource.UseAsync(null, async connection =>
    {
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
        await using var disposal = transaction.ConfigureAwait(false);
        var server = await ReadSingleAsync(ServerSql, row => (
            ReadAt: row.GetInstant(0).ToDateTimeOffset(), Version: row.GetString(1), IsStandby: row.GetBoolean(2), Schema: row.GetString(3)))
            .ConfigureAwait(false);
        var expired = await ReadSingleAsync(ExpiredSql, row => (
            Total: new ArtifactTotal { Count = row.GetInt64(0), SizeBytes = row.GetInt64(1) },
            Oldest: row.IsDBNull(2) ? (DateTimeOffset?)null : row.GetInstant(2).ToDateTimeOffset()))
            .ConfigureAwait(false);
        return new DatabaseStatus
        {
            ReadAt = server.ReadAt,
            ServerVersion = server.Version,
            IsStandby = server.IsStandby,
            Schema = server.Schema,
            Scripts = await ReadScriptsAsync(transaction, cancellationToken).ConfigureAwait(false),
            Tables = await ReadTablesAsync().ConfigureAwait(false),
            Runs = await runs.CountByStatusAsync(null, transaction, cancellationToken).ConfigureAwait(false),
            OldestRuns = (await ReadAsync(OldestRunsSql, ReadWork<CrawlStatus>).ConfigureAwait(false)).ToDictionary(),
            Sessions = await sessions.CountByStatusAsync(null, transaction, cancellationToken).ConfigureAwait(false),
            OldestSessions = (await ReadAsync(OldestSessionsSql, ReadWork<AuditSessionStatus>).ConfigureAwait(false)).ToDictionary(),
            ExpiredArtifacts = expired.Total,
            OldestExpiry = expired.Oldest,
            NewestEventId = await ReadSingleAsync(NewestEventSql, row => row.GetNullable<long?>(0)).ConfigureAwait(false),
        };

        Task<List<T>> ReadAsync<T>(string sql, Func<DbDataReader, T> read) =>
            connection.QueryAsync(sql, null, read, transaction, cancellationToken);

        async Task<IReadOnlyList<TableStatus>> ReadTablesAsync()
        {
            var tables = await ReadAsync(TablesSql, ToTable).ConfigureAwait(false);
            var placement = await CitusPlacement.ReadAsync(connection, transaction, cancellationToken).ConfigureAwait(false);
            var sharded = placement is null ? [] : await ReadAsync(ShardedTables, ToTable).ConfigureAwait(false);
            return tables.ConvertAll(table => sharded.Find(one => one.Table == table.Table) ?? table);
        }

        Task<T> ReadSingleAsync<T>(string sql, Func<DbDataReader, T> read) =>
            connection.QuerySingleAsync(sql, null, read, transaction, cancellationToken);

        KeyValuePair<T, UnfinishedWork> ReadWork<T>(DbDataReader row) where T : struct, Enum
        {
            var createdAt = row.GetInstant(2).ToDateTimeOffset();
            return new(
                EnumLabels.TryParse<T>(row.GetString(0))!.Value,
                new UnfinishedWork { Id = row.GetGuid(1), CreatedAt = createdAt, Age = server.ReadAt - createdAt });
        }
    }, cancellationToken);

    private static TableStatus ToTable(DbDataReader row) => new()
    {
        Table = row.GetString(0),
        EstimatedRows = row.GetNullable<long?>(1),
        SizeBytes = row.GetInt64(2),
        IndexBytes = row.GetInt64(3),
    };

    /// <summary>Reads the scripts that ran, and the pending scripts of this version.</summary>
    /// <returns>The scripts, by name; null when the role may not read the journal.</returns>
    private static async Task<IReadOnlyList<ScriptStatus>?> ReadScriptsAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        if (await SchemaJournal.ReadTimesAsync(transaction, cancellationToken).ConfigureAwait(false) is not { } times)
        {
            return null;
        }

        var names = times.Keys.Union(SchemaScript.All.Select(script => script.Name)).Order(StringComparer.Ordinal);
        return [.. names.Select(name => new ScriptStatus { Script = name, AppliedAt = times.TryGetValue(name, out var appliedAt) ? appliedAt : null })];
    }
}

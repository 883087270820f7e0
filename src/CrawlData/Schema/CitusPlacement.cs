using System.Globalization;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>Where Citus has placed the tables of the first schema of the search path.</summary>
/// <remarks>A statement on the catalog of Citus is sent only where <see cref="InstalledSql"/> has found it. Its constant does not end in <c>Sql</c>, because
/// it cannot be prepared on plain PostgreSQL.</remarks>
/// <param name="IsWorker">Whether the server is a worker, and not the coordinator.</param>
/// <param name="IsTenant">Whether the schema is one of schema-based sharding.</param>
/// <param name="IsByCrawl">Whether <see cref="CrawlDistributor"/> has distributed the crawls.</param>
/// <param name="IsPartitioned">Whether the events are partitioned, or are about to be.</param>
internal sealed record CitusPlacement(bool IsWorker, bool IsTenant, bool IsByCrawl, bool IsPartitioned)
{
    // Citus 12 and later have this table.
    internal const string InstalledSql = "select pg_catalog.to_regclass('pg_catalog.pg_dist_schema') is not null";

    private const string Read =
        """
        select (select groupid from pg_catalog.pg_dist_local_group) <> 0,
               exists (select from pg_catalog.pg_dist_schema where schemaid::oid = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid),
               exists (
                   select from pg_catalog.pg_dist_partition
                   join pg_catalog.pg_class on pg_class.oid = logicalrelid::oid
                   where relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
                     and relname = 'crawl_events' and partmethod = 'h'),
               exists (
                   select from pg_catalog.pg_class
                   where relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
                     and relname = 'crawl_events'
                     and (relkind = 'p'
                          or exists (select from pg_catalog.pg_constraint where conrelid = pg_class.oid and conname = 'crawl_events_partitioning')))
        """;

    private const string ReadInterval =
        "select setting::bigint from pg_catalog.pg_settings where name = 'citus.recover_2pc_interval' and (setting::bigint < 0 or setting::bigint >= 60000)";

    private const string FindNodesWithoutDaemon =
        """
        select pg_catalog.format('%s:%s', nodename, nodeport)
        from pg_catalog.run_command_on_all_nodes(
            'select count(*) from pg_catalog.pg_stat_activity '
            'where datname = pg_catalog.current_database() and application_name = ''Citus Maintenance Daemon''') as nodes
        join pg_catalog.pg_dist_node on pg_dist_node.nodeid = nodes.nodeid
        where success and result = '0'
        order by pg_dist_node.nodeid
        """;

    // A worker draws ids from its group's number times this one.
    private const long IdsOfWorkers = 1L << 48;

    /// <summary>Whether the tables of crawls are on the workers.</summary>
    public bool IsDistributed => IsTenant || IsByCrawl;

    /// <summary>Reads the placement.</summary>
    /// <returns>The placement; null without Citus.</returns>
    public static async Task<CitusPlacement?> ReadAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var isInstalled = await connection.QuerySingleAsync(InstalledSql, null, row => row.GetBoolean(0), transaction, cancellationToken).ConfigureAwait(false);
        return !isInstalled ? null : await connection.QuerySingleAsync(
            Read,
            null,
            row => new CitusPlacement(row.GetBoolean(0), row.GetBoolean(1), row.GetBoolean(2), row.GetBoolean(3)),
            transaction,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Finds appends that go, or went, through a worker.</summary>
    public async Task<List<CitusFinding>> FindAppendsThroughWorkersAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var findings = new List<CitusFinding>();
        if (IsDistributed && IsWorker)
        {
            findings.Add(new CitusFinding(
                "this server",
                "a worker of a Citus cluster",
                "the coordinator",
                "Appends through it get ids beyond 2^48. Followers then pass over the events of the coordinator.",
                "connect to the coordinator"));
        }

        if (IsDistributed)
        {
            var newest = await transaction.Connection!.QuerySingleAsync(
                SequencePositions.NewestEventSql, null, row => row.GetNullable<long?>(0), transaction, cancellationToken).ConfigureAwait(false);
            if (newest >= IdsOfWorkers)
            {
                findings.Add(new CitusFinding(
                    "table crawl_events",
                    $"at id {newest.Value.ToString(CultureInfo.InvariantCulture)}, which a worker of the Citus cluster has drawn",
                    "an id below 2^48",
                    "Followers pass over the events that were appended through the coordinator since.",
                    "append through the coordinator alone, and give the events new ids: crawldata export, crawldata import --new-ids"));
            }
        }

        return findings;
    }

    /// <summary>Finds what keeps a transaction that a node has prepared from being committed soon.</summary>
    public async Task<List<CitusFinding>> FindSlowRecoveryAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        if (!IsDistributed || IsWorker)
        {
            return [];
        }

        var connection = transaction.Connection!;
        var intervals = await connection.QueryAsync(ReadInterval, null, row => row.GetInt64(0), transaction, cancellationToken).ConfigureAwait(false);
        var nodes = await connection.QueryAsync(
            FindNodesWithoutDaemon, null, row => row.GetString(0), transaction, cancellationToken).ConfigureAwait(false);
        return
        [
            .. intervals.Select(milliseconds => new CitusFinding(
                "citus.recover_2pc_interval",
                milliseconds < 0 ? "off" : $"at {(milliseconds / 1000).ToString(CultureInfo.InvariantCulture)} s",
                "below 60 s",
                "A crawl whose commit was interrupted stays locked for as long, and its events are not visible.",
                "alter system set citus.recover_2pc_interval = '5s'; select pg_catalog.pg_reload_conf()")),
            .. nodes.Select(node => new CitusFinding(
                $"node {node}",
                "without a maintenance daemon for this database",
                "with one",
                "Transactions that were interrupted between PREPARE and COMMIT PREPARED are not finished. Their crawls stay locked.",
                "raise max_worker_processes on the node: it needs one for each database with the extension, and those of other extensions")),
        ];
    }
}

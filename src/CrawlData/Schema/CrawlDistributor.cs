using System.Globalization;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>Distributes crawls over the workers of a Citus cluster: runs, their events and their claims, by the run's id. The tables of audits stay on the
/// coordinator.</summary>
/// <remarks>
/// <para>It works on tables with rows. All of it is one transaction, which takes the lock of <see cref="SchemaMigrator"/>. While the rows are copied, reads of
/// crawls wait, and so do appends. It cannot be undone by this library.</para>
/// <para>The primary key of <c>crawl_events</c> becomes (crawl_id, id), because a distributed table has its distribution column in each key. The foreign key of
/// <c>crawl_run_retries</c>, which stays on the coordinator, is dropped. <see cref="SchemaMigrator.VerifySchemaAsync"/> knows both.</para>
/// <para>The role owns the tables. The extension <c>citus</c> is of version 12 or later. Restart the applications afterwards.</para>
/// </remarks>
/// <param name="dataSource">Connections to the coordinator, which do not multiplex. The application disposes it.</param>
/// <param name="options">How long it waits for a migration, and how long a statement may run; the defaults when null.</param>
/// <param name="logger">Logs a wait; may be null.</param>
/// <param name="timeProvider">Measures a wait; the system's clock when null.</param>
/// <example>
/// <code>
/// await new CrawlDistributor(dataSource).DistributeAsync(shardCount: 8);
/// </code>
/// </example>
public sealed class CrawlDistributor(
    NpgsqlDataSource dataSource, SchemaMigratorOptions? options = null, ILogger<CrawlDistributor>? logger = null, TimeProvider? timeProvider = null)
{
    /// <summary>The number of shards that is used when none is given.</summary>
    public const int DefaultShardCount = 8;

    /// <summary>The largest number of shards. It is the limit of Citus.</summary>
    public const int MaxShardCount = 64_000;

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly SchemaMigratorOptions options = options ?? new SchemaMigratorOptions();
    private readonly ILogger log = logger.Guarded();

    /// <summary>Gets the SQL that <see cref="DistributeAsync"/> would run, for <c>psql</c>. It changes nothing.</summary>
    /// <param name="shardCount">The number of shards, 1 to <see cref="MaxShardCount"/>.</param>
    /// <param name="cancellationToken">Cancels the queries.</param>
    /// <returns>The SQL; a comment when the crawls are distributed already.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The number of shards is out of range.</exception>
    /// <exception cref="MigrationException">The database has no extension <c>citus</c>, the server is a worker, scripts are pending, <c>crawl_events</c> is
    /// partitioned, or the schema is one of schema-based sharding.</exception>
    public Task<string> GetSqlAsync(int shardCount = DefaultShardCount, CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(shardCount, 1, MaxShardCount);
        return dataSource.UseAsync(null, async connection =>
        {
            if (await IsDistributedAsync(connection, null, cancellationToken).ConfigureAwait(false))
            {
                return "-- The crawls are distributed already.\n";
            }

            var schema = await connection.QuerySingleAsync(
                SchemaMigrator.SchemaSql, null, row => row.GetString(0), null, cancellationToken).ConfigureAwait(false);
            string[] lines =
            [
                "\\set ON_ERROR_STOP on",
                "begin",
                MigrationLock.TransactionLockSql,
                $"set local search_path to {SchemaScriptWriter.Quote(schema)}",
                .. Statements(shardCount),
                "commit",
            ];
            return string.Concat(lines.Select((line, index) => index == 0 ? $"{line}\n" : $"{line};\n"));
        }, cancellationToken);
    }

    /// <summary>Distributes the crawls.</summary>
    /// <param name="shardCount">The number of shards, 1 to <see cref="MaxShardCount"/>. It cannot be changed later by this library. Choose a multiple of the
    /// number of workers, and at least the number of workers that the cluster will grow to. More shards than that make appends to many crawls slower.</param>
    /// <param name="cancellationToken">Cancels it. Then nothing is changed.</param>
    /// <returns>False when the crawls were distributed already.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The number of shards is out of range.</exception>
    /// <exception cref="MigrationException">The database has no extension <c>citus</c>, the server is a worker, scripts are pending, <c>crawl_events</c> is
    /// partitioned, the schema is one of schema-based sharding, or the data source multiplexes.</exception>
    /// <exception cref="MigrationLockTimeoutException">Another session migrated for the whole <see cref="SchemaMigratorOptions.LockTimeout"/>.</exception>
    /// <exception cref="PostgresException">The server refused a statement, for example because the role does not own the tables. Nothing was
    /// changed.</exception>
    public Task<bool> DistributeAsync(int shardCount = DefaultShardCount, CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(shardCount, 1, MaxShardCount);
        return dataSource.UseAsync(null, async connection =>
        {
            await SchemaMigrator.RequireMigratableAsync(connection, cancellationToken).ConfigureAwait(false);
            var migrationLock = new MigrationLock(connection, dataSource, options.LockTimeout, timeProvider ?? TimeProvider.System, log);
            await using (migrationLock.ConfigureAwait(false))
            {
                await migrationLock.AcquireAsync(cancellationToken).ConfigureAwait(false);
                var isDone = await connection.InTransactionAsync(
                    transaction => RunAsync(connection, transaction, shardCount, cancellationToken), cancellationToken).ConfigureAwait(false);
                CrawlDistribution.Forget(dataSource);
                return isDone;
            }
        }, cancellationToken);
    }

    private async Task<bool> RunAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, int shardCount, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(TransactionTimeouts.DisableSql, null, transaction, cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync(SchemaCatalog.NarrowSearchPathSql, null, transaction, cancellationToken).ConfigureAwait(false);
        if (await IsDistributedAsync(connection, transaction, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        var timeout = options.ScriptTimeout == Timeout.InfiniteTimeSpan ? 0 : Math.Max(1, (int)options.ScriptTimeout.TotalSeconds);
        foreach (var statement in Statements(shardCount))
        {
            var command = new NpgsqlCommand(statement, connection, transaction) { CommandTimeout = timeout };
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        return true;
    }

    private static async Task<bool> IsDistributedAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var placement = await CitusPlacement.ReadAsync(connection, transaction, cancellationToken).ConfigureAwait(false)
            ?? throw new MigrationException(
                null, "The database has no extension citus of version 12 or later, so there are no workers to distribute crawls over. Nothing was changed.");
        if (placement.IsWorker)
        {
            throw new MigrationException(null, "The server is a worker of a Citus cluster. Connect to the coordinator. Nothing was changed.");
        }

        if (placement.IsTenant)
        {
            throw new MigrationException(
                null, "The schema is one of schema-based sharding: its tables are on one worker already. Nothing was changed.");
        }

        if (placement.IsPartitioned)
        {
            throw new MigrationException(null, "crawl_events is partitioned, and Citus cannot distribute it. Nothing was changed.");
        }

        var executed = await SchemaJournal.ReadAsync(connection, transaction, cancellationToken).ConfigureAwait(false);
        return SchemaScript.All.All(script => executed.ContainsKey(script.Name))
            ? placement.IsByCrawl
            : throw new MigrationException(null, "Scripts are pending. Migrate first: crawldata migrate. Nothing was changed.");
    }

    // The locks come first, in the order of all statements. A distributed table refers to distributed tables only, so the parents come first. The index is for
    // reads of all crawls: the key led with the id before. Deletes of a run do not cascade to a table of the coordinator, and retry_of could not be unique if
    // the retries were distributed by run.
    private static string[] Statements(int shardCount) =>
    [
        "lock table crawl_runs, crawl_events, crawl_run_claims, crawl_run_retries in access exclusive mode",
        "alter table crawl_events drop constraint crawl_events_pkey, add primary key (crawl_id, id)",
        "alter table crawl_run_retries drop constraint crawl_run_retries_run_id_fkey",
        "select pg_catalog.create_distributed_table('crawl_runs', 'id', colocate_with => 'none', "
            + $"shard_count => {shardCount.ToString(CultureInfo.InvariantCulture)})",
        "select pg_catalog.create_distributed_table('crawl_events', 'crawl_id', colocate_with => 'crawl_runs')",
        "select pg_catalog.create_distributed_table('crawl_run_claims', 'run_id', colocate_with => 'crawl_runs')",
        "create index idx_crawl_events_id on crawl_events (id)",
        "select pg_catalog.truncate_local_data_after_distributing_table('crawl_runs')",
    ];
}

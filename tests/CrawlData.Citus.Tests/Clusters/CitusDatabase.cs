using CrawlData.Schema;
using CrawlData.Testing;
using CrawlData.Tests;
using Npgsql;

namespace CrawlData.Citus.Tests.Clusters;

/// <summary>Makes databases on all nodes of the cluster.</summary>
internal static class CitusDatabase
{
    private const string Tenant = "tenant_1";

    /// <summary>Makes a database with the tables of CrawlData. Its disposal drops it on all nodes.</summary>
    public static async Task<ThrowawayDatabase> StartAsync(CitusLayout layout)
    {
        var cluster = await CitusCluster.FindAsync();
        var name = $"crawldata_{Guid.CreateVersion7():n}";
        foreach (var node in cluster.Nodes)
        {
            await node.ExecuteAsync(cluster, "postgres", $"create database {name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'");
            await node.ExecuteAsync(cluster, name, "create extension citus");
        }

        var (host, port) = cluster.Coordinator;
        await cluster.Coordinator.ExecuteAsync(
            cluster,
            name,
            [
                $"select citus_set_coordinator_host('{host}', {port})",
                .. cluster.Workers.Select(worker => $"select citus_add_node('{worker.Host}', {worker.Port})"),
            ]);
        if (layout == CitusLayout.TenantSchema)
        {
            await cluster.Coordinator.ExecuteAsync(cluster, name, "set citus.enable_schema_based_sharding to on", $"create schema {Tenant}");
        }

        var settings = new NpgsqlConnectionStringBuilder(cluster.ConnectionString)
        {
            Database = name,
            SearchPath = layout == CitusLayout.TenantSchema ? Tenant : null,
        };
        var database = new ThrowawayDatabase(settings.ConnectionString, $"Citus at {host}:{port}", () => DropAsync(cluster, name));
        await new SchemaMigrator(database.DataSource).MigrateAsync();
        if (layout == CitusLayout.DistributedCrawls)
        {
            await cluster.Coordinator.ExecuteAsync(
                cluster,
                name,
                """
                begin;
                alter table crawl_events drop constraint crawl_events_pkey, add primary key (crawl_id, id);
                alter table crawl_run_retries drop constraint crawl_run_retries_run_id_fkey;
                select create_distributed_table('crawl_runs', 'id', colocate_with => 'none', shard_count => 8);
                select create_distributed_table('crawl_events', 'crawl_id', colocate_with => 'crawl_runs');
                select create_distributed_table('crawl_run_claims', 'run_id', colocate_with => 'crawl_runs');
                create index idx_crawl_events_id on crawl_events (id);
                commit
                """);
        }

        return database;
    }

    private static async Task DropAsync(CitusCluster cluster, string name)
    {
        // The coordinator first: its maintenance daemon and its backends are connected to the workers.
        foreach (var node in cluster.Nodes)
        {
            await Wait.UntilAsync(() => TryDropAsync(cluster, node, name), $"drop database {name}");
        }
    }

    private static async Task<bool> TryDropAsync(CitusCluster cluster, CitusNode node, string name)
    {
        try
        {
            // A prepared transaction that nobody has recovered yet would keep the database.
            await node.ExecuteAsync(cluster, name, [.. await node.QueryAsync<string>(
                cluster, name, "select 'rollback prepared ' || quote_literal(gid) from pg_prepared_xacts where database = current_database()")]);
            await node.ExecuteAsync(cluster, "postgres", $"drop database {name} with (force)");
            return true;
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.ObjectInUse or PostgresErrorCodes.UndefinedObject)
        {
            return false;
        }
    }
}

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
    /// <param name="layout">How the tables are placed; all are on the coordinator when null.</param>
    public static async Task<ThrowawayDatabase> StartAsync(CitusLayout? layout)
    {
        var cluster = await CitusCluster.FindAsync();
        var name = $"crawldata_{Guid.CreateVersion7():n}";
        await using (await LockAsync(cluster))
        {
            await CreateAsync(cluster, name, layout);
        }

        var settings = new NpgsqlConnectionStringBuilder(cluster.ConnectionString)
        {
            Database = name,
            SearchPath = layout == CitusLayout.TenantSchema ? Tenant : null,
        };
        var (host, port) = cluster.Coordinator;
        var database = new ThrowawayDatabase(settings.ConnectionString, $"Citus at {host}:{port}", () => DropAsync(cluster, name));
        await new SchemaMigrator(database.DataSource).MigrateAsync();
        if (layout == CitusLayout.DistributedCrawls)
        {
            await new CrawlDistributor(database.DataSource).DistributeAsync();
        }

        return database;
    }

    private static async Task CreateAsync(CitusCluster cluster, string name, CitusLayout? layout)
    {
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
    }

    /// <summary>Takes turns with others that make databases. Nodes that are added to two databases at once update the same rows of the servers' shared
    /// catalogs.</summary>
    private static async Task<NpgsqlConnection> LockAsync(CitusCluster cluster)
    {
        var connection = new NpgsqlConnection(cluster.Coordinator.ConnectionStringTo(cluster, "postgres"));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("select pg_advisory_lock(hashtext('crawldata'))", connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync();
        return connection;
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

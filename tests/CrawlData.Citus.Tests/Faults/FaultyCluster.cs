using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests;
using CrawlData.Tests.Faults;
using Npgsql;

namespace CrawlData.Citus.Tests.Faults;

/// <summary>A database with a proxy in front of its coordinator and of each of its workers.</summary>
internal sealed class FaultyCluster : IAsyncDisposable
{
    /// <summary>The name of the sessions that append.</summary>
    public const string ApplicationName = "append";

    private readonly string name;
    private readonly List<(CitusNode Worker, int NodeId, FaultProxy Proxy)> workers = [];

    private FaultyCluster(CitusCluster cluster, ThrowawayDatabase database)
    {
        (Cluster, Database, name) = (cluster, database, new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!);
        Coordinator = new FaultProxy(database.ConnectionString);
        Client = Coordinator.CreateDataSource(database.ConnectionString, settings => settings.ApplicationName = ApplicationName);
    }

    public CitusCluster Cluster { get; }

    public ThrowawayDatabase Database { get; }

    /// <summary>The proxy between the client and the coordinator.</summary>
    public FaultProxy Coordinator { get; }

    /// <summary>Leads to the coordinator through its proxy.</summary>
    public NpgsqlDataSource Client { get; }

    public static async Task<FaultyCluster> StartAsync(CitusLayout layout)
    {
        var faulty = new FaultyCluster(await CitusCluster.FindAsync(), await CitusDatabase.StartAsync(layout));
        foreach (var worker in faulty.Cluster.Workers)
        {
            var nodeId = (await faulty.QueryAsync<int>($"select nodeid from pg_dist_node where nodeport = {worker.Port}")).Single();
            faulty.workers.Add((worker, nodeId, new FaultProxy(worker.ConnectionStringTo(faulty.Cluster, faulty.name))));
        }

        foreach (var (_, nodeId, proxy) in faulty.workers)
        {
            await faulty.MoveAsync(nodeId, "127.0.0.1", proxy.ListeningPort);
        }

        return faulty;
    }

    /// <summary>Sets what happens to the messages from the coordinator to a worker.</summary>
    public void OnSentToWorkers(Func<CitusNode, byte[], Fault> onSent) =>
        workers.ForEach(one => one.Proxy.OnSent = (_, piece) => onSent(one.Worker, piece));

    /// <summary>Returns which node has a distributed crawl.</summary>
    public async Task<int> NodeOfAsync(Guid crawl) => (await QueryAsync<int>(
        $"select groupid from pg_dist_placement where shardid = get_shard_id_for_distribution_column('crawl_runs', '{crawl}'::uuid)")).Single();

    /// <summary>Returns the values of a statement's one column, from the coordinator.</summary>
    public Task<List<T>> QueryAsync<T>(string sql) => Cluster.Coordinator.QueryAsync<T>(Cluster, name, sql);

    /// <summary>Returns the values of a statement's one column, from a node.</summary>
    public Task<List<T>> QueryAsync<T>(CitusNode node, string sql) => node.QueryAsync<T>(Cluster, name, sql);

    /// <summary>Waits until all nodes answer, and no transaction of an append is open or prepared on one.</summary>
    public Task UntilSettledAsync() => Wait.UntilAsync(
        async () =>
        {
            try
            {
                foreach (var node in Cluster.Nodes)
                {
                    var open = await QueryAsync<bool>(
                        node,
                        $"""
                        select exists (select from pg_prepared_xacts where database = current_database())
                            or exists (
                                select from pg_stat_activity
                                where datname = current_database() and backend_xid is not null and pid <> pg_backend_pid()
                                  and (application_name = '{ApplicationName}' or application_name like 'citus_internal%'))
                        """);
                    if (open is [true])
                    {
                        return false;
                    }
                }

                return true;
            }
            catch (NpgsqlException)
            {
                // The node restarts.
                return false;
            }
        },
        "no transaction is open or prepared",
        2 * Wait.Longest);

    /// <summary>Points the nodes back at the workers, and drops the database.</summary>
    public async ValueTask DisposeAsync()
    {
        OnSentToWorkers((_, _) => Fault.None);
        await Client.DisposeAsync();
        foreach (var (worker, nodeId, _) in workers)
        {
            await MoveAsync(nodeId, worker.Host, worker.Port);
        }

        await Coordinator.DisposeAsync();
        foreach (var (_, _, proxy) in workers)
        {
            await proxy.DisposeAsync();
        }

        await Database.DisposeAsync();
    }

    private Task<List<string>> MoveAsync(int nodeId, string host, int port) =>
        QueryAsync<string>($"select citus_update_node({nodeId}, '{host}', {port})::text");
}

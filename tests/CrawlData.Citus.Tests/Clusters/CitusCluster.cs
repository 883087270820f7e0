using Npgsql;

namespace CrawlData.Citus.Tests.Clusters;

/// <summary>The cluster whose coordinator <c>CRAWLDATA_CITUS_CONNECTION</c> names.</summary>
/// <param name="ConnectionString">A database of the coordinator that has the workers.</param>
/// <param name="Coordinator">The coordinator.</param>
/// <param name="Workers">The workers.</param>
internal sealed record CitusCluster(string ConnectionString, CitusNode Coordinator, IReadOnlyList<CitusNode> Workers)
{
    private const string Variable = "CRAWLDATA_CITUS_CONNECTION";

    /// <summary>All nodes, the coordinator first.</summary>
    public IReadOnlyList<CitusNode> Nodes => [Coordinator, .. Workers];

    /// <exception cref="CitusClusterException">There is no cluster with two workers.</exception>
    public static async Task<CitusCluster> FindAsync()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } connectionString)
        {
            throw new CitusClusterException(
                $"{Variable} is not set. It names a database on the coordinator of a Citus cluster, as a superuser: "
                    + "Host=coordinator;Username=postgres;Database=postgres. The database has the extension citus, and two workers (citus_add_node).");
        }

        var workers = new List<CitusNode>();
        try
        {
            await using var dataSource = NpgsqlDataSource.Create(connectionString);
            await using var nodes = dataSource.CreateCommand(
                "select nodename, nodeport from pg_dist_node where groupid <> 0 and noderole = 'primary' and isactive order by groupid");
            await using var reader = await nodes.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                workers.Add(new CitusNode(reader.GetString(0), reader.GetInt32(1)));
            }
        }
        catch (Exception exception) when (exception is NpgsqlException or ArgumentException)
        {
            throw new CitusClusterException($"{Variable}: the coordinator cannot be used: {exception.Message}", exception);
        }

        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        return workers.Count >= 2
            ? new CitusCluster(connectionString, new CitusNode(settings.Host!, settings.Port), workers)
            : throw new CitusClusterException($"{Variable}: the cluster has {workers.Count} active workers. The tests need two.");
    }
}

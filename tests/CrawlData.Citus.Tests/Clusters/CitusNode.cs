using Npgsql;

namespace CrawlData.Citus.Tests.Clusters;

/// <summary>The address of a node.</summary>
internal sealed record CitusNode(string Host, int Port)
{
    /// <summary>Runs statements in a database of this node, each in a transaction of its own.</summary>
    public async Task ExecuteAsync(CitusCluster cluster, string database, params string[] statements)
    {
        await using var connection = new NpgsqlConnection(ConnectionStringTo(cluster, database));
        await connection.OpenAsync();
        foreach (var sql in statements)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Returns the values of a statement's one column.</summary>
    public async Task<List<T>> QueryAsync<T>(CitusCluster cluster, string database, string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionStringTo(cluster, database));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var values = new List<T>();
        while (await reader.ReadAsync())
        {
            values.Add(reader.GetFieldValue<T>(0));
        }

        return values;
    }

    /// <summary>Gets the connection string of a database of this node, without a pool.</summary>
    public string ConnectionStringTo(CitusCluster cluster, string database) =>
        new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Host = Host, Port = Port, Database = database, Pooling = false }.ConnectionString;
}

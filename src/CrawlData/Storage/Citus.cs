using Npgsql;

namespace CrawlData.Storage;

/// <summary>What the library knows of Citus, an extension that spreads tables over several servers. Its coordinator sends a statement that names a distributed
/// table to the servers that have its rows. So functions of the server, such as those on its transactions, stand in statements of their own.</summary>
internal static class Citus
{
    /// <summary>An expression: whether the database has the extension. The workers have it too.</summary>
    public const string IsInstalled = "(pg_catalog.to_regclass('pg_catalog.pg_dist_partition') is not null)";

    internal const string IsInstalledSql = $"select {IsInstalled}";

    // Another transaction of the coordinator, whose COMMIT flushes all WAL before it.
    private const string Flush =
        """
        select success, result
        from pg_catalog.run_command_on_coordinator('select pg_catalog.pg_logical_emit_message(true, ''crawldata'', '''')')
        """;

    /// <summary>Flushes the coordinator's WAL. A node may commit before the coordinator does. If the coordinator crashed in between, it would not know that its
    /// sequence gave the ids, and would give them again.</summary>
    /// <exception cref="NpgsqlException">The coordinator cannot reach itself. The error is transient.</exception>
    public static async Task FlushAsync(NpgsqlConnection connection, NpgsqlTransaction transaction)
    {
        var (success, result) = await connection.QuerySingleAsync(
            Flush, null, row => (row.GetBoolean(0), row.GetNullable<string>(1)), transaction, CancellationToken.None).ConfigureAwait(false);
        if (!success)
        {
            throw new NpgsqlException("The coordinator of Citus cannot flush its WAL.", new IOException(result));
        }
    }
}

using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>What the library knows of Citus, an extension that spreads tables over several servers. Its coordinator sends a statement that names a distributed
/// table to the servers that have its rows. So functions of the server, such as those on its transactions, stand in statements of their own.</summary>
internal static class Citus
{
    /// <summary>An expression: whether the database has the extension. The workers have it too.</summary>
    public const string IsInstalled = "(pg_catalog.to_regclass('pg_catalog.pg_dist_partition') is not null)";

    internal const string IsInstalledSql = $"select {IsInstalled}";

    // From PostgreSQL 17 on, a session can flush the WAL without a COMMIT. A COMMIT of others may have done it. LostBackends finds a backend by the comment.
    private const string Flush =
        """
        select true, pg_catalog.pg_logical_emit_message(false, 'crawldata', '', true)::text
        where pg_catalog.pg_current_wal_flush_lsn() operator(pg_catalog.<) pg_catalog.pg_current_wal_insert_lsn()
        /* of crawl_events or crawl_logs */
        """;

    // Before, it takes another transaction of the coordinator, whose COMMIT flushes all WAL before it. Its connection takes milliseconds.
    private const string FlushBeforeVersion17 =
        """
        select success, result
        from pg_catalog.run_command_on_coordinator('select pg_catalog.pg_logical_emit_message(true, ''crawldata'', '''')')
        where pg_catalog.pg_current_wal_flush_lsn() operator(pg_catalog.<) @wal_position
        /* of crawl_events or crawl_logs */
        """;

    /// <summary>Flushes the coordinator's WAL. A node may commit before the coordinator does. If the coordinator crashed in between, it would not know that its
    /// sequence gave the ids, and would give them again.</summary>
    /// <param name="connection">The connection to the coordinator.</param>
    /// <param name="transaction">Its transaction.</param>
    /// <param name="position">The position in the WAL up to which it is flushed.</param>
    /// <exception cref="NpgsqlException">The coordinator cannot reach itself, before PostgreSQL 17. The error is transient.</exception>
    public static async Task FlushAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, NpgsqlLogSequenceNumber position)
    {
        var (sql, parameters) = FlushInSession(connection) is { } flush
            ? (flush, null)
            : (FlushBeforeVersion17, new Parameters { { "wal_position", NpgsqlDbType.PgLsn, position } });
        var flushes = await connection.QueryAsync(
            sql, parameters, row => (Success: row.GetBoolean(0), Result: row.GetNullable<string>(1)), transaction, CancellationToken.None)
            .ConfigureAwait(false);
        if (flushes is [{ Success: false } failed])
        {
            throw new NpgsqlException("The coordinator of Citus cannot flush its WAL.", new IOException(failed.Result));
        }
    }

    /// <summary>Gets a statement that flushes the WAL as <see cref="FlushAsync"/> does, and may stand in a batch; null before PostgreSQL 17.</summary>
    public static string? FlushInSession(NpgsqlConnection connection) => connection.PostgreSqlVersion.Major < 17 ? null : Flush;
}

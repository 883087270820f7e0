using System.Data.Common;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Reads the transactions that hold the lock of a table on Citus, for a <see cref="HighWaterMark"/>. A transaction that has left the coordinator's
/// locks may have a part on another node yet, that is open or prepared: its rows come later. So the coordinator is asked first, and then all nodes.</summary>
internal static class NodeWriters
{
    /// <summary>Returns the last id that was drawn, whether the coordinator is a standby, the transactions that hold the lock of the table there, and when it
    /// started. It names no table, so that the coordinator answers.</summary>
    /// <param name="table">The table.</param>
    public static string OnCoordinator(string table) =>
        $"""
        select coalesce(
                   pg_catalog.pg_sequence_last_value('{table}_id_seq'),
                   case when pg_catalog.has_sequence_privilege('{table}_id_seq', 'usage, select') then 0 end),
               pg_catalog.pg_is_in_recovery(),
               ({HighWaterMark.Writers} and relation = '{table}'::regclass::oid),
               pg_catalog.pg_postmaster_start_time()
        """;

    /// <summary>Returns the transactions that hold the lock of a shard, for each node, and whether the node answered. Only Citus has the function.</summary>
    /// <param name="table">The table.</param>
    public static string OnNodes(string table) =>
        $"""
        select nodeid, success, result
        from (
            select nspname from pg_catalog.pg_class join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace where pg_class.oid = '{table}'::regclass
        ) as place
        cross join lateral pg_catalog.run_command_on_all_nodes(pg_catalog.format($command$
            select coalesce(pg_catalog.string_agg(distinct virtualtransaction, ' '), '')
            from pg_catalog.pg_locks
            join pg_catalog.pg_class on pg_class.oid = relation
            join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
            where locktype = 'relation'
              and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
              and mode = 'RowExclusiveLock'
              and granted
              and nspname = %L
              and relname ~ '^{table}(_[0-9]+)+$'
            $command$, nspname), give_warning_for_connection_errors => true)
        """;

    /// <summary>Reads the results of both statements, from the reader's current one on.</summary>
    /// <exception cref="NpgsqlException">A node did not answer.</exception>
    public static async Task<(long? Last, bool IsStandby, HashSet<string> Writers, Instant ServerStart)> ReadAsync(
        NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        var (last, isStandby, onCoordinator, start) = (await reader.ReadRowAsync(
            static row => (row.GetNullable<long?>(0), row.GetBoolean(1), row.GetString(2), row.GetInstant(3)), cancellationToken).ConfigureAwait(false))!.Value;
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        var onNodes = await reader.ReadAllAsync(WritersOfNode, cancellationToken).ConfigureAwait(false);
        return (last, isStandby, [.. HighWaterMark.Split(onCoordinator), .. onNodes.SelectMany(writers => writers)], start);
    }

    // Two nodes may have one identifier for two transactions.
    private static IEnumerable<string> WritersOfNode(DbDataReader row) => row.GetBoolean(1)
        ? HighWaterMark.Split(row.GetString(2)).Select(writer => $"{writer}@{row.GetInt32(0)}").ToArray()
        : throw new NpgsqlException($"The node {row.GetInt32(0)} of Citus did not answer.", new IOException(row.GetNullable<string>(2)));
}

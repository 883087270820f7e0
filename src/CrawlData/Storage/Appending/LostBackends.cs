using System.Data;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>The backends behind connections that an append lost. Where the network went silent, such a backend waits for its client for hours, and holds the
/// parents' locks.</summary>
/// <param name="table">The table of the append.</param>
internal sealed class LostBackends(string table)
{
    // Behind a pooler the id is the pooler's. Another backend may have it then, or after its backend ended. So it must be a backend of this role that waits for
    // its client in a transaction of such an append. With track_activities off there is no query.
    internal const string TerminateSql =
        """
        select pg_catalog.pg_terminate_backend(pid)
        from pg_catalog.pg_stat_activity
        where pid = any (@backend_ids)
          and datname = pg_catalog.current_database()
          and usename = session_user
          and backend_xid is not null
          and wait_event = 'ClientRead'
          and (query = '' or position(@table in query) > 0)
        """;

    private HashSet<int>? ids;

    /// <summary>Whether an error is the loss of a connection.</summary>
    public static bool IsLoss(NpgsqlException exception, NpgsqlConnection connection) =>
        exception is not PostgresException && connection.State != ConnectionState.Open;

    /// <summary>Remembers the backend of a connection that was lost.</summary>
    public void Add(int id) => (ids ??= []).Add(id);

    /// <summary>Terminates the backends that still wait for their client.</summary>
    public Task TerminateAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        ids is null ? Task.CompletedTask : TerminateAsync(ids, connection, cancellationToken);

    private async Task TerminateAsync(HashSet<int> ids, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var parameters = new Parameters
        {
            { "backend_ids", NpgsqlDbType.Array | NpgsqlDbType.Integer, ids.ToArray() },
            { "table", NpgsqlDbType.Text, table },
        };
        await connection.QueryAsync(TerminateSql, parameters, row => row.GetBoolean(0), null, cancellationToken).ConfigureAwait(false);
    }
}

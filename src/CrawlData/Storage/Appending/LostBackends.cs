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
        from pg_stat_activity
        where pid = any (@backend_ids)
          and datname = pg_catalog.current_database()
          and usename = session_user
          and backend_xid is not null
          and wait_event = 'ClientRead'
          and (query = '' or position(@table in query) > 0)
        """;

    private readonly HashSet<int> ids = [];

    /// <summary>Calls the work, and remembers its backend if the connection is lost.</summary>
    public async Task<T> WatchAsync<T>(NpgsqlConnection connection, Func<Task<T>> work)
    {
        var id = connection.ProcessID;
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (NpgsqlException exception) when (exception is not PostgresException && connection.State != ConnectionState.Open)
        {
            ids.Add(id);
            throw;
        }
    }

    /// <summary>Terminates the backends that still wait for their client.</summary>
    public async Task TerminateAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
        {
            return;
        }

        var parameters = new Parameters
        {
            { "backend_ids", NpgsqlDbType.Array | NpgsqlDbType.Integer, ids.ToArray() },
            { "table", NpgsqlDbType.Text, table },
        };
        await connection.QueryAsync(TerminateSql, parameters, row => row.GetBoolean(0), null, cancellationToken).ConfigureAwait(false);
    }
}

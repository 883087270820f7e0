using Npgsql;

namespace CrawlData.Storage;

/// <summary>Prepares the statements of appends, which then are neither parsed nor planned again. A prepared statement belongs to a connection's session, and so
/// not to a pooler's client. It is prepared when each connection so far led to the backend that its own process id names: a pooler's client has another
/// one.</summary>
internal sealed class StatementPreparation
{
    private const int Unknown = 0;
    private const int Possible = 1;
    private const int Impossible = 2;

    private int state;

    /// <param name="dataSource">The application's data source.</param>
    public StatementPreparation(NpgsqlDataSource dataSource)
    {
        var settings = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString);

        // Npgsql prepares by itself where it was told to. It does not allow it when it multiplexes. Without a pool, no session would see a second append.
        state = settings is { Pooling: true, Multiplexing: false, MaxAutoPrepare: 0 } ? Unknown : Impossible;
    }

    /// <summary>Prepares the statements of a batch, if it may. On a session that has them it sends nothing.</summary>
    public Task PrepareAsync(NpgsqlBatch batch, CancellationToken cancellationToken) =>
        Volatile.Read(ref state) == Possible ? batch.PrepareAsync(cancellationToken) : Task.CompletedTask;

    /// <summary>Notes which backend a connection led to.</summary>
    /// <param name="processId">The backend's id, as the connection has it.</param>
    /// <param name="identity">The backend's transaction.</param>
    public void Note(int processId, TransactionIdentity identity)
    {
        if (processId != identity.BackendId)
        {
            Stop();
        }
        else
        {
            Interlocked.CompareExchange(ref state, Possible, Unknown);
        }
    }

    /// <summary>Whether an error says that the session has no such statement, or has another one of its name: somebody else has deallocated it, as with
    /// <c>discard all</c>, or a pooler has changed the session. Such an append has stored nothing, and can be repeated without.</summary>
    public static bool IsLost(PostgresException exception) =>
        exception is
        {
            SqlState: PostgresErrorCodes.InvalidSqlStatementName or PostgresErrorCodes.DuplicatePreparedStatement or PostgresErrorCodes.ProtocolViolation,
            InvariantSeverity: "ERROR",
        };

    /// <summary>Prepares no more.</summary>
    public void Stop() => Volatile.Write(ref state, Impossible);
}

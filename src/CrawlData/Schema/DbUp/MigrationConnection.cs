using System.Data;
using DbUp.Engine;
using DbUp.Engine.Output;
using DbUp.Engine.Transactions;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>Lets DbUp work on the connection that holds the lock, a transaction for each script, and leaves it open: DbUp's own managers would dispose of it
/// and the lock with it.</summary>
internal sealed class MigrationConnection(NpgsqlConnection connection, CancellationToken cancellationToken) : IConnectionManager, IDisposable
{
    public TransactionMode TransactionMode { get; set; }

    public bool IsScriptOutputLogged { get; set; }

    public int? ExecutionTimeoutSeconds { get; set; }

    public IDisposable OperationStarting(IUpgradeLog upgradeLog, List<SqlScript> executedScripts) => this;

    // The end of DbUp's operation; the connection goes on.
    public void Dispose()
    {
    }

    // Npgsql splits it itself, aware of quotes and comments.
    public IEnumerable<string> SplitScriptIntoCommands(string scriptContents) => [scriptContents];

    public bool TryConnect(IUpgradeLog upgradeLog, out string errorMessage)
    {
        errorMessage = "";
        return connection.State == ConnectionState.Open;
    }

    public void ExecuteCommandsWithManagedConnection(Action<Func<IDbCommand>> action) => ExecuteCommandsWithManagedConnection(command =>
    {
        action(command);
        return 0;
    });

    public T ExecuteCommandsWithManagedConnection<T>(Func<Func<IDbCommand>, T> actionWithResult)
    {
        NpgsqlCommand? current = null;
        using var transaction = connection.BeginTransaction();

        // Ends before the transaction does, so that no cancel request of ours goes out while it is rolled back.
        using var cancellation = cancellationToken.Register(() => Volatile.Read(ref current)?.Cancel());
        var result = actionWithResult(() =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandTimeout = ExecutionTimeoutSeconds ?? 0;
            Volatile.Write(ref current, command);
            return command;
        });
        transaction.Commit();
        return result;
    }
}

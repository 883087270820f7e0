using System.Data;
using CrawlData.Storage;
using DbUp.Engine;
using DbUp.Engine.Output;
using DbUp.Engine.Transactions;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>Runs DbUp's work on the connection that holds the lock, with a transaction for each script. It leaves the connection open. DbUp's own managers
/// would dispose it, and lose the lock.</summary>
/// <param name="connection">The connection that holds the lock.</param>
/// <param name="cancellationToken">Cancels the statement that runs.</param>
internal sealed class MigrationConnection(NpgsqlConnection connection, CancellationToken cancellationToken) : IConnectionManager, IDisposable
{
    public TransactionMode TransactionMode { get; set; }

    public bool IsScriptOutputLogged { get; set; }

    public int? ExecutionTimeoutSeconds { get; set; }

    public IDisposable OperationStarting(IUpgradeLog upgradeLog, List<SqlScript> executedScripts) => this;

    // DbUp calls it at the end of its operation. The connection stays open.
    public void Dispose()
    {
    }

    // Npgsql splits the script into statements itself, and knows quotes and comments.
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
        using (var disable = new NpgsqlCommand(TransactionTimeouts.DisableSql, connection, transaction))
        {
            disable.ExecuteNonQuery();
        }

        // Disposed before the transaction, so that no cancel request is sent during the rollback.
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

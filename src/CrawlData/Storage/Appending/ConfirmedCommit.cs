using System.Runtime.CompilerServices;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Commits, and reports whether the synchronous standbys confirmed it.</summary>
internal static class ConfirmedCommit
{
    // Citus does not translate its messages.
    private const string NodeFailed = "failed to commit transaction on ";

    internal const string ShowWarningsSql = "set local client_min_messages to warning";

    /// <summary>Commits a transaction whose session shows warnings.</summary>
    /// <returns>Whether it is confirmed. The server stops waiting for its standbys after a command time-out, or when an operator cancels. It then sends a
    /// warning, and the transaction is committed on this server alone.</returns>
    /// <exception cref="NpgsqlException">Citus has committed its own part, and has warned that a node did not answer. The rows may be stored, stored later, or
    /// lost.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<bool> CommitConfirmedAsync(this NpgsqlTransaction transaction)
    {
        var connection = transaction.Connection!;
        var (isConfirmed, isInDoubt) = (true, false);
        NoticeEventHandler onNotice = (_, notice) =>
        {
            isConfirmed &= notice.Notice.Routine != "SyncRepWaitForLSN";
            isInDoubt |= notice.Notice.MessageText.StartsWith(NodeFailed, StringComparison.Ordinal);
        };
        connection.Notice += onNotice;
        try
        {
            await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
            return isInDoubt ? throw new NpgsqlException("A node of Citus did not answer the COMMIT.") : isConfirmed;
        }
        finally
        {
            connection.Notice -= onNotice;
        }
    }
}

using System.Runtime.CompilerServices;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Commits, and reports whether the synchronous standbys confirmed it.</summary>
internal static class ConfirmedCommit
{
    internal const string ShowWarningsSql = "set local client_min_messages to warning";

    /// <summary>Commits a transaction whose session shows warnings.</summary>
    /// <returns>Whether it is confirmed. The server stops waiting for its standbys after a command time-out, or when an operator cancels. It then sends a
    /// warning, and the transaction is committed on this server alone.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<bool> CommitConfirmedAsync(this NpgsqlTransaction transaction)
    {
        var connection = transaction.Connection!;
        var confirmed = true;
        NoticeEventHandler onNotice = (_, notice) => confirmed &= notice.Notice.Routine != "SyncRepWaitForLSN";
        connection.Notice += onNotice;
        try
        {
            await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
            return confirmed;
        }
        finally
        {
            connection.Notice -= onNotice;
        }
    }
}

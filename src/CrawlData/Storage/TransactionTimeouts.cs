namespace CrawlData.Storage;

/// <summary>The server's time-outs of a transaction that lasts long for a good reason. A role's time-outs are for an application's short statements.</summary>
internal static class TransactionTimeouts
{
    // transaction_timeout is there since PostgreSQL 17. lock_timeout stays: who waits for a lock may hold up all others.
    internal const string DisableSql =
        """
        set local statement_timeout = 0;
        set local idle_in_transaction_session_timeout = 0;
        select set_config('transaction_timeout', '0', true) where current_setting('transaction_timeout', true) is not null
        """;
}

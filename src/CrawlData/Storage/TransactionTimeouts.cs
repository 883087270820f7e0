namespace CrawlData.Storage;

/// <summary>The server's time-outs of a transaction that lasts long for a good reason. A role's time-outs are for an application's short statements.</summary>
internal static class TransactionTimeouts
{
    // PostgreSQL 17 and later have transaction_timeout. lock_timeout stays: a transaction that waits for a lock may hold up all others.
    internal const string DisableSql =
        """
        set local statement_timeout = 0;
        set local idle_in_transaction_session_timeout = 0;
        select pg_catalog.set_config('transaction_timeout', '0', true) where pg_catalog.current_setting('transaction_timeout', true) is not null
        """;
}

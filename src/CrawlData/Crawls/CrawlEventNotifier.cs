using Dapper;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData.Crawls;

/// <summary>Notifies those who follow crawls, after the commit and in the background: NOTIFY takes a lock that is one for the whole server, so however many append, it
/// is sent by one, and at most every few milliseconds.</summary>
internal sealed class CrawlEventNotifier(NpgsqlDataSource dataSource)
{
    public const string Channel = "crawldata_events";

    // Nothing is lost when the server forgets it in a crash, so nobody waits for its disk.
    internal const string NotifySql =
        $"""
        select pg_notify('{Channel}', crawl_id::text)
        from unnest(@crawl_ids) as appended (crawl_id), (select set_config('synchronous_commit', 'off', true)) as hint
        """;

    private static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(4);

    private readonly Lock gate = new();
    private readonly HashSet<Guid> pending = [];
    private bool sending;

    public void Notify(IEnumerable<Guid> crawlIds)
    {
        lock (gate)
        {
            pending.UnionWith(crawlIds);
            if (sending)
            {
                return;
            }

            sending = true;
        }

        // Not in the caller's context: what it sends is others' too.
        using (ExecutionContext.SuppressFlow())
        {
            _ = Task.Run(SendAsync);
        }
    }

    private async Task SendAsync()
    {
        while (true)
        {
            Guid[] crawlIds;
            lock (gate)
            {
                if (pending.Count == 0)
                {
                    sending = false;
                    return;
                }

                crawlIds = [.. pending];
                pending.Clear();
            }

            try
            {
                var parameters = new Parameters { { "crawl_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, crawlIds } };
                var command = Command(NotifySql, parameters, null, CancellationToken.None);
                await dataSource.UseAsync(null, connection => connection.ExecuteAsync(command), CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is NpgsqlException or ObjectDisposedException)
            {
                // A hint that is lost costs a poll interval; the events are stored, and their writers have been told.
            }

            await Task.Delay(Gap).ConfigureAwait(false);
        }
    }
}

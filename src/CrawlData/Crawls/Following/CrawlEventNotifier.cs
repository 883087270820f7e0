using CrawlData.Diagnostics;
using Dapper;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData.Crawls;

/// <summary>Notifies those who follow crawls, after the commit and in the background: NOTIFY takes a lock that is one for the whole server, so however many append, it
/// is sent by one, and at most every few milliseconds.</summary>
internal sealed class CrawlEventNotifier(NpgsqlDataSource dataSource, ILogger logger)
{
    public const string Channel = "crawldata_events";

    // Nothing is lost when the server forgets it in a crash, so nobody waits for its disk.
    internal const string NotifySql = $"select pg_notify('{Channel}', @payload_text), set_config('synchronous_commit', 'off', true)";

    // Of 8,000 bytes that a payload may have.
    private const int CrawlIdsInPayload = 200;

    private static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(7);

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

    public static string ToPayload(IEnumerable<Guid> crawlIds) => string.Join(',', crawlIds);

    public static IEnumerable<Guid> FromPayload(string payload) =>
        payload.Split(',').Select(text => Guid.TryParse(text, out var crawlId) ? crawlId : Guid.Empty);

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
                foreach (var chunk in crawlIds.Chunk(CrawlIdsInPayload))
                {
                    var parameters = new Parameters { { "payload_text", NpgsqlDbType.Text, ToPayload(chunk) } };
                    var command = Command(NotifySql, parameters, null, CancellationToken.None);
                    await dataSource.UseAsync(null, connection => connection.ExecuteAsync(command), CancellationToken.None).ConfigureAwait(false);
                }
            }
            catch (Exception exception)
            {
                // Whatever it is, also of the application's own data source: a hint that is lost costs a poll interval, and one that stopped for good costs each.
                Log.NotifyingFailed(logger, Telemetry.ErrorType(exception));
            }

            await Task.Delay(Gap).ConfigureAwait(false);
        }
    }
}

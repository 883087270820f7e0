using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>Notifies followers after commits, in the background. NOTIFY takes one lock for the whole server. So one task sends for all appends of the process,
/// with a gap between two statements.</summary>
internal sealed class CrawlEventNotifier(NpgsqlDataSource dataSource, TimeProvider timeProvider, ILogger logger)
{
    public const string Channel = "crawldata_events";

    // A crash loses only a hint, so the commit does not wait for the disk.
    internal const string NotifySql = $"select pg_catalog.pg_notify('{Channel}', @payload_text), pg_catalog.set_config('synchronous_commit', 'off', true)";

    // A payload has at most 7,999 bytes.
    private const int CrawlIdsInPayload = 200;

    private static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(7);

    private readonly Lock gate = new();
    private readonly HashSet<Guid> pending = [];
    private bool sending;

    /// <summary>Notifies the followers of crawls. It returns at once.</summary>
    public void Notify(IReadOnlyList<Guid> crawlIds)
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

        // Without the caller's execution context: the task sends for other callers too.
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
                    await dataSource.UseAsync(null, async connection =>
                    {
                        await connection.ExecuteShortAsync(NotifySql, parameters, CancellationToken.None).ConfigureAwait(false);
                        return true;
                    }, CancellationToken.None).ConfigureAwait(false);
                }
            }
            catch (Exception exception)
            {
                // Any error, also of the application's data source. A lost hint costs one poll interval. If the task ended, every later hint would be lost.
                Log.NotifyingFailed(logger, Telemetry.ErrorType(exception));
            }

            await Task.Delay(Gap, timeProvider).ConfigureAwait(false);
        }
    }
}

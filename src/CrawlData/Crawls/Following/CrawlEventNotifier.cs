using System.Buffers.Text;
using System.Security.Cryptography;
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
    private const int TagsInPayload = 600;

    // Of the hash. Two crawls with one tag cost a read that finds nothing.
    private const int TagBytes = 8;

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

    /// <summary>Makes a crawl's tag. Every role that may connect can listen, so a payload has tags and no ids.</summary>
    public static string ToTag(Guid crawlId) => Base64Url.EncodeToString(SHA256.HashData(crawlId.ToByteArray()).AsSpan(0, TagBytes));

    public static string ToPayload(IEnumerable<Guid> crawlIds) => string.Join(',', crawlIds.Select(ToTag));

    public static HashSet<string> FromPayload(string payload) => [.. payload.Split(',')];

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
                foreach (var chunk in crawlIds.Chunk(TagsInPayload))
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

            await Task.Delay(PulseSignal.Gap, timeProvider).ConfigureAwait(false);
        }
    }
}

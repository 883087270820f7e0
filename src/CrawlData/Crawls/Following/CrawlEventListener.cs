using System.Data;
using System.Runtime.CompilerServices;
using CrawlData.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Listens for notifications of appended events on one connection, for all who follow over a data source, and for as long as somebody does.</summary>
internal sealed class CrawlEventListener
{
    internal const string ListenSql = $"listen {CrawlEventNotifier.Channel}";

    internal const string UnlistenSql = $"unlisten {CrawlEventNotifier.Channel}";

    private static readonly ConditionalWeakTable<NpgsqlDataSource, CrawlEventListener> Listeners = [];

    private static readonly TimeSpan ReconnectAfter = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly NpgsqlDataSource dataSource;
    private readonly HashSet<Subscription> subscriptions = [];
    private Action? stopListening;

    private readonly ILogger logger;

    private CrawlEventListener(NpgsqlDataSource dataSource, ILogger logger) => (this.dataSource, this.logger) = (dataSource, logger);

    /// <summary>Subscribes to a crawl, or to all when null, until the subscription is disposed of.</summary>
    /// <exception cref="InvalidOperationException">The data source multiplexes.</exception>
    public static Subscription Subscribe(NpgsqlDataSource dataSource, Guid? crawlId, ILogger logger)
    {
        if (new NpgsqlConnectionStringBuilder(dataSource.ConnectionString).Multiplexing)
        {
            throw new InvalidOperationException("Listening needs a connection of its own, which a data source that multiplexes does not give.");
        }

        var listener = Listeners.GetValue(dataSource, key => new CrawlEventListener(key, logger));
        var subscription = new Subscription(listener, crawlId);
        lock (listener.gate)
        {
            listener.subscriptions.Add(subscription);
            if (listener.stopListening is null)
            {
                var stop = new CancellationTokenSource();
                listener.stopListening = stop.Cancel;
                using (ExecutionContext.SuppressFlow())
                {
                    _ = Task.Run(() => listener.ListenAsync(stop));
                }
            }
        }

        return subscription;
    }

    private void Unsubscribe(Subscription subscription)
    {
        lock (gate)
        {
            if (subscriptions.Remove(subscription) && subscriptions.Count == 0)
            {
                var stop = stopListening!;
                stopListening = null;
                stop();
            }
        }
    }

    private async Task ListenAsync(CancellationTokenSource stop)
    {
        using (stop)
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    await ListenOnceAsync(stop.Token).ConfigureAwait(false);
                }
                catch (Exception exception)
                {
                    // Whatever it is, also of the application's own data source: those who follow read without it meanwhile.
                    if (!stop.IsCancellationRequested)
                    {
                        Log.ListeningFailed(logger, Telemetry.ErrorType(exception));
                    }

                    await Task.Delay(ReconnectAfter, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }
    }

    private async Task ListenOnceAsync(CancellationToken stop)
    {
        var connection = await dataSource.OpenConnectionAsync(stop).ConfigureAwait(false);
        await using var disposal = connection.ConfigureAwait(false);
        connection.Notification += Pulse;
        try
        {
            await ExecuteAsync(connection, ListenSql, stop).ConfigureAwait(false);
            Log.Listening(logger);

            // What was committed before is not told: all read once more.
            Pulse(null);
            while (true)
            {
                await connection.WaitAsync(stop).ConfigureAwait(false);
            }
        }
        finally
        {
            connection.Notification -= Pulse;
            if (connection.State == ConnectionState.Open)
            {
                // The pool does not, where it is told not to reset connections.
                await ExecuteAsync(connection, UnlistenSql, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private void Pulse(object sender, NpgsqlNotificationEventArgs notification)
    {
        // The connection listens to nothing else.
        Pulse(CrawlEventNotifier.FromPayload(notification.Payload).ToHashSet());
    }

    private void Pulse(HashSet<Guid>? crawlIds)
    {
        lock (gate)
        {
            foreach (var subscription in subscriptions.Where(one => crawlIds is null || one.CrawlId is not { } crawlId || crawlIds.Contains(crawlId)))
            {
                subscription.Pulse();
            }
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, connection);
        await using var disposal = command.ConfigureAwait(false);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>One who follows: is there something to read?</summary>
    public sealed class Subscription(CrawlEventListener listener, Guid? crawlId) : IDisposable
    {
        private readonly SemaphoreSlim pulses = new(0);

        public Guid? CrawlId => crawlId;

        public Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken) => pulses.WaitAsync(longest, cancellationToken);

        // Under the listener's lock. Several that come before it waits are one.
        public void Pulse()
        {
            if (pulses.CurrentCount == 0)
            {
                pulses.Release();
            }
        }

        public void Dispose()
        {
            listener.Unsubscribe(this);
            pulses.Dispose();
        }
    }
}

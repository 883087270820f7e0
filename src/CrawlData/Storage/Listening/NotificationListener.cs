using System.Data;
using System.Runtime.CompilerServices;
using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Listens for notifications, on one connection for all followers and workers over a data source. It listens while there is a
/// subscription.</summary>
internal sealed class NotificationListener
{
    /// <summary>The channel of appended events. A payload has the crawls' tags, with commas between them.</summary>
    public const string EventChannel = "crawldata_events";

    /// <summary>The channel of work that can be claimed. The payload names the queue.</summary>
    public const string WorkChannel = "crawldata_work";

    internal const string ListenSql = $"listen {WorkChannel}; listen {EventChannel}";

    internal const string UnlistenSql = $"unlisten {WorkChannel}; unlisten {EventChannel}";

    private static readonly ConditionalWeakTable<NpgsqlDataSource, NotificationListener> Listeners = [];

    // The number of listeners that hold a connection, by connection string. The views of a data source of several hosts share its pool.
    private static readonly Dictionary<string, int> Holding = [];

    /// <summary>The silence after which the listener checks its connection. A connection that vanishes without a packet looks like one that is idle.</summary>
    internal static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(15);

    /// <summary>The pause before the listener connects again.</summary>
    internal static readonly TimeSpan ReconnectAfter = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly NpgsqlDataSource dataSource;
    private readonly TimeProvider timeProvider;
    private readonly ILogger logger;
    private readonly HashSet<NotificationSubscription> subscriptions = [];
    private Action? stopListening;
    private int refusals;

    private NotificationListener(NpgsqlDataSource dataSource, TimeProvider timeProvider, ILogger logger) =>
        (this.dataSource, this.timeProvider, this.logger) = (dataSource, timeProvider, logger);

    /// <summary>Subscribes to a channel, until the subscription is disposed. The listener uses the first subscription's logger and time provider.</summary>
    /// <param name="dataSource">The application's data source.</param>
    /// <param name="channel">The channel.</param>
    /// <param name="pulse">Gets the crawls' tags, or the queue, of a notification. It gets null when each subscriber must look. It must return at once.</param>
    /// <param name="timeProvider">Measures the pauses.</param>
    /// <param name="logger">Logs when the listener connects, and its errors.</param>
    /// <returns>The subscription. Null when the listener would keep the pool's last connection, and nobody could read.</returns>
    /// <exception cref="InvalidOperationException">The data source multiplexes.</exception>
    public static NotificationSubscription? Subscribe(
        NpgsqlDataSource dataSource, string channel, Action<IReadOnlySet<string>?> pulse, TimeProvider timeProvider, ILogger logger)
    {
        var settings = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString);
        if (settings.Multiplexing)
        {
            throw new InvalidOperationException("Listening needs a connection of its own. A data source that multiplexes gives none.");
        }

        var listener = Listeners.GetValue(dataSource, key => new NotificationListener(key, timeProvider, logger));
        var subscription = new NotificationSubscription(listener, channel, pulse);
        lock (listener.gate)
        {
            if (listener.stopListening is null && settings.Pooling && !TryHold(dataSource.ConnectionString, settings.MaxPoolSize))
            {
                listener.Refuse();
                return null;
            }

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

    public void Unsubscribe(NotificationSubscription subscription)
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

    // Two pools of one connection string count as one: their subscribers poll sooner than they need to, and can always read.
    private static bool TryHold(string pool, int size)
    {
        lock (Holding)
        {
            var holding = Holding.GetValueOrDefault(pool) + 1;
            if (holding >= size)
            {
                return false;
            }

            Holding[pool] = holding;
            return true;
        }
    }

    private static void Release(string pool)
    {
        lock (Holding)
        {
            if (Holding.TryGetValue(pool, out var holding) && holding > 1)
            {
                Holding[pool] = holding - 1;
            }
            else
            {
                Holding.Remove(pool);
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
                    // Any error, also of the application's data source. Subscribers poll meanwhile.
                    if (!stop.IsCancellationRequested)
                    {
                        Log.ListeningFailed(logger, Telemetry.ErrorType(exception));
                    }

                    await Task.Delay(ReconnectAfter, timeProvider, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }

        Release(dataSource.ConnectionString);
    }

    private async Task ListenOnceAsync(CancellationToken stop)
    {
        var connection = await dataSource.OpenConnectionAsync(stop).ConfigureAwait(false);
        await using var disposal = connection.ConfigureAwait(false);
        connection.Notification += Pulse;
        try
        {
            await connection.ExecuteShortAsync(ListenSql, [], stop).ConfigureAwait(false);
            Log.Listening(logger);

            // Earlier commits sent nothing to this connection: every subscriber reads once more.
            Pulse(null, null);
            while (true)
            {
                if (!await WaitAsync(connection, stop).ConfigureAwait(false))
                {
                    await connection.ExecuteShortAsync(ListenSql, [], stop).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            connection.Notification -= Pulse;
            if (connection.State == ConnectionState.Open)
            {
                // The pool does not reset connections where No Reset On Close is set.
                await connection.ExecuteShortAsync(UnlistenSql, [], CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Waits for a notification.</summary>
    /// <returns>Whether one arrived before the next check.</returns>
    private async Task<bool> WaitAsync(NpgsqlConnection connection, CancellationToken stop)
    {
        using var timeout = new CancellationTokenSource(CheckInterval, timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stop);
        try
        {
            await connection.WaitAsync(either.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return false;
        }
    }

    private void Refuse()
    {
        if (Interlocked.Increment(ref refusals) == 1)
        {
            Log.NotListening(logger);
        }
    }

    private void Pulse(object sender, NpgsqlNotificationEventArgs notification) =>
        Pulse(notification.Channel, notification.Payload.Split(',').ToHashSet());

    private void Pulse(string? channel, HashSet<string>? subjects)
    {
        NotificationSubscription[] pulsed;
        lock (gate)
        {
            pulsed = [.. subscriptions.Where(one => channel is null || one.Channel == channel)];
        }

        // Outside the lock: a subscriber takes a lock of its own.
        foreach (var subscription in pulsed)
        {
            subscription.Pulse(subjects);
        }
    }
}

using System.Runtime.CompilerServices;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData;

/// <summary>What the queues of sessions and of runs share: notifications, and streams of claims.</summary>
internal static class WorkQueue
{
    /// <summary>The queue of sessions, in notifications.</summary>
    public const string Sessions = "sessions";

    /// <summary>The queue of runs, in notifications.</summary>
    public const string Runs = "runs";

    /// <summary>A statement that notifies workers on sessions when the transaction commits, if <c>@notify</c>. It names no table, because Citus runs a
    /// statement with a table on another node, where nobody listens. So it may also notify when nothing has changed.</summary>
    public const string NotifySessions = $"select pg_catalog.pg_notify('{NotificationListener.WorkChannel}', '{Sessions}') where @notify";

    /// <summary>A statement that notifies workers on runs, as above.</summary>
    public const string NotifyRuns = $"select pg_catalog.pg_notify('{NotificationListener.WorkChannel}', '{Runs}') where @notify";

    /// <summary>The time of a row of a batch, by its <c>position</c>. The clock alone may show one time for two rows.</summary>
    public const string TimeOfRow = "pg_catalog.statement_timestamp() + position::double precision * interval '1 microsecond'";

    /// <summary>Claims one item after another, each when the caller asks for it. While there is none, it waits.</summary>
    /// <param name="dataSource">The application's data source.</param>
    /// <param name="queue">The queue's name in notifications.</param>
    /// <param name="claim">Claims the next item; null when there is none. It gets a connection.</param>
    /// <param name="options">How to wait.</param>
    /// <param name="timeProvider">Measures the pauses.</param>
    /// <param name="logger">Logs failures of the listener.</param>
    /// <param name="cancellationToken">Ends the stream. A claim that was sent is not cancelled: it might be committed, and nobody would have it.</param>
    public static async IAsyncEnumerable<T> StreamClaimsAsync<T>(
        NpgsqlDataSource dataSource,
        string queue,
        Func<NpgsqlConnection, Task<T?>> claim,
        ClaimOptions options,
        TimeProvider timeProvider,
        ILogger logger,
        [EnumeratorCancellation] CancellationToken cancellationToken) where T : class
    {
        // Subscribed before the first look: what is committed after a look ends the pause that follows it.
        var signal = new PulseSignal(timeProvider);
        using var subscription = options.Listen
            ? NotificationListener.Subscribe(dataSource, NotificationListener.WorkChannel, PulseWhenNamed, timeProvider, logger)
            : null;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (await dataSource.UseAsync(null, claim, cancellationToken).ConfigureAwait(false) is { } claimed)
            {
                yield return claimed;
            }
            else if (subscription is null)
            {
                await Task.Delay(options.PollInterval, timeProvider, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await signal.WaitAsync(options.PollInterval, cancellationToken).ConfigureAwait(false);
            }
        }

        void PulseWhenNamed(IReadOnlySet<string>? queues)
        {
            if (queues?.Contains(queue) is not false)
            {
                signal.Pulse();
            }
        }
    }
}

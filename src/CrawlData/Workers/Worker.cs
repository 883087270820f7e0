using System.Collections.Concurrent;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Workers;

/// <summary>A hosted service that claims items of a queue, and calls a handler for each.</summary>
/// <remarks>It survives any error of the database, and of handlers. An end that could not be stored is retried, until the item is lost or the host's time to
/// stop is up. Then another worker rescues the item.</remarks>
/// <param name="dataSource">The application's data source.</param>
/// <param name="table">The table of the items.</param>
/// <param name="options">The options.</param>
/// <param name="scopes">Makes a scope for each item.</param>
/// <param name="timeProvider">Measures pauses; may be null.</param>
/// <param name="logger">Logs failures; may be null.</param>
internal abstract class Worker<TClaim>(
    NpgsqlDataSource dataSource, string table, WorkerOptions options, IServiceScopeFactory scopes, TimeProvider? timeProvider, ILogger? logger)
    : BackgroundService, IHostedLifecycleService
    where TClaim : class
{
    /// <summary>How long a handler may take to end after its token was cancelled at shutdown. Then its item is handed back nevertheless.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<Guid, WorkItem<TClaim>> items = [];
    private readonly SemaphoreSlim slots = new(options.Concurrency);
    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource deadline = new();
    private readonly CancellationTokenSource hostTimeIsUp = new();
    private readonly TaskCompletionSource abandoned = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly RetryPolicy retry = new(
        dataSource, Timeout.InfiniteTimeSpan, timeProvider ?? TimeProvider.System, new Telemetry(dataSource, table), logger.Guarded());

    // A timestamp; 0 before the first failure.
    private long lastFailure;

    protected WorkerOptions Options => options;

    protected ILogger Logger { get; } = logger.Guarded();

    protected TimeProvider Time { get; } = timeProvider ?? TimeProvider.System;

    protected abstract Guid IdOf(TClaim claim);

    /// <summary>The number of the attempt, from 1.</summary>
    protected abstract int AttemptOf(TClaim claim);

    protected abstract IAsyncEnumerable<TClaim> StreamClaimsAsync(CancellationToken cancellationToken);

    /// <summary>Calls the handler.</summary>
    /// <returns>Stores the success. It returns whether the claim still held, or was ended so before.</returns>
    protected abstract Task<Func<CancellationToken, Task<bool>>> HandleAsync(IServiceProvider services, TClaim claim, CancellationToken cancellationToken);

    /// <summary>Waits until what the handler wrote is stored.</summary>
    /// <returns>The error when it could not be stored, and was given up: a <see cref="ClaimLostException"/> when the claim is lost. Otherwise null.</returns>
    protected virtual Task<Exception?> FlushAsync(TClaim claim, CancellationToken cancellationToken) => Task.FromResult<Exception?>(null);

    /// <summary>Stores a failure, and the retry.</summary>
    /// <returns>Whether the claim still held.</returns>
    protected abstract Task<bool> RetryAsync(TClaim claim, string error, TimeSpan delay, CancellationToken cancellationToken);

    /// <summary>Hands the item back.</summary>
    /// <returns>Whether the claim still held.</returns>
    protected abstract Task<bool> ReleaseAsync(TClaim claim, CancellationToken cancellationToken);

    /// <summary>Records a sign of life.</summary>
    /// <returns>The items that are lost.</returns>
    protected abstract Task<IReadOnlyList<Guid>> HeartbeatAsync(IReadOnlyList<TClaim> claims, CancellationToken cancellationToken);

    protected abstract Task RescueAsync(CancellationToken cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Begins to stop. All services of the host begin here, so their deadlines do not add up.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => stopping.CancelAsync();

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        var registration = cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), hostTimeIsUp);
        await using (registration.ConfigureAwait(false))
        {
            await base.StopAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // An obsolete host does not call StoppingAsync.
        var registration = stoppingToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), stopping);
        await using var unregister = registration.ConfigureAwait(false);
        using var drained = new CancellationTokenSource();
        var draining = DrainAsync();
        var rescuing = RescueAllAsync(stopping.Token);
        var beating = HeartbeatAllAsync(drained.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, Time, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        await WaitAsync(draining, options.ShutdownTimeout).ConfigureAwait(false);
        await deadline.CancelAsync().ConfigureAwait(false);
        await WaitAsync(draining, Grace).ConfigureAwait(false);
        abandoned.SetResult();
        await draining.ConfigureAwait(false);
        await drained.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(rescuing, beating).ConfigureAwait(false);

        async Task DrainAsync()
        {
            await ClaimAllAsync(stopping.Token).ConfigureAwait(false);
            await Task.WhenAll(items.Values.Select(item => item.Ended)).ConfigureAwait(false);
        }
    }

    private async Task WaitAsync(Task work, TimeSpan longest) =>
        await Task.WhenAny(work, Task.Delay(longest, Time, hostTimeIsUp.Token)).ConfigureAwait(false);

    private async Task ClaimAllAsync(CancellationToken cancellationToken)
    {
        var attempts = retry.Begin();
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
                await foreach (var claim in StreamClaimsAsync(cancellationToken).ConfigureAwait(false))
                {
                    attempts = retry.Begin();
                    var item = new WorkItem<TClaim>(claim);
                    items[IdOf(claim)] = item;
                    item.Ended = Task.Run(() => RunAsync(item), CancellationToken.None);

                    // The next is claimed when it can be handled.
                    await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
                }
            }
            catch (Exception exception)
            {
                // Any error, also of the application's data source. Otherwise the host would end.
                if (!cancellationToken.IsCancellationRequested)
                {
                    slots.Release();
                    await PauseAsync(attempts, exception, cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    private async Task PauseAsync(RetryAttempts attempts, Exception exception, CancellationToken cancellationToken)
    {
        Volatile.Write(ref lastFailure, Time.GetTimestamp());
        await attempts.NextAsync(exception, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync(WorkItem<TClaim> item)
    {
        var id = IdOf(item.Claim);
        try
        {
            if (!await HandleAndEndAsync(item, id).ConfigureAwait(false))
            {
                Log.ClaimLost(Logger, table, id);
            }
        }
        catch (Exception exception)
        {
            Log.ItemNotEnded(Logger, table, id, Telemetry.ErrorType(exception));
        }
        finally
        {
            items.TryRemove(new(id, item));
            slots.Release();
        }
    }

    /// <summary>Calls the handler, and stores how it ended.</summary>
    /// <returns>Whether the claim held.</returns>
    private async Task<bool> HandleAndEndAsync(WorkItem<TClaim> item, Guid id)
    {
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(item.Lost, deadline.Token);
        var handling = HandleAsync(item.Claim, cancelled.Token);
        await Task.WhenAny(handling, abandoned.Task).ConfigureAwait(false);
        var unstored = await FlushAsync(item.Claim, hostTimeIsUp.Token).ConfigureAwait(false);
        if (item.Lost.IsCancellationRequested || unstored is ClaimLostException)
        {
            return false;
        }

        if (unstored is not null)
        {
            return await FailAsync(item, id, unstored).ConfigureAwait(false);
        }

        if (handling.IsCompletedSuccessfully)
        {
            return await StoreAsync(item, (_, token) => handling.Result(token)).ConfigureAwait(false);
        }

        if (deadline.IsCancellationRequested)
        {
            var held = await StoreAsync(item, ReleaseAsync).ConfigureAwait(false);
            Log.ItemReleased(Logger, table, id);
            return held;
        }

        return await FailAsync(item, id, handling.Exception?.InnerException ?? new OperationCanceledException()).ConfigureAwait(false);
    }

    private async Task<Func<CancellationToken, Task<bool>>> HandleAsync(TClaim claim, CancellationToken cancellationToken)
    {
        var scope = scopes.CreateAsyncScope();
        await using (scope.ConfigureAwait(false))
        {
            return await HandleAsync(scope.ServiceProvider, claim, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<bool> FailAsync(WorkItem<TClaim> item, Guid id, Exception exception)
    {
        var error = CrawledText.Repair(ServerErrors.Describe(exception));
        var delay = options.DelayAfter(AttemptOf(item.Claim));
        var held = await StoreAsync(item, (claim, token) => RetryAsync(claim, error, delay, token)).ConfigureAwait(false);
        if (held)
        {
            Log.ItemFailed(Logger, table, id, AttemptOf(item.Claim), Telemetry.ErrorType(exception));
        }

        return held;
    }

    /// <summary>Stores an end, and retries it for as long as it takes.</summary>
    private async Task<bool> StoreAsync(WorkItem<TClaim> item, Func<TClaim, CancellationToken, Task<bool>> store) =>
        await retry.RunAsync(
            async () => !item.Lost.IsCancellationRequested && await store(item.Claim, hostTimeIsUp.Token).ConfigureAwait(false),
            hostTimeIsUp.Token).ConfigureAwait(false);

    private async Task HeartbeatAllAsync(CancellationToken cancellationToken)
    {
        while (await DelayAsync(options.StaleAfter / 4, cancellationToken).ConfigureAwait(false))
        {
            if (items.Values.Select(item => item.Claim).ToList() is not { Count: > 0 } claims)
            {
                continue;
            }

            try
            {
                foreach (var id in await HeartbeatAsync(claims, cancellationToken).ConfigureAwait(false))
                {
                    if (items.TryGetValue(id, out var item) && claims.Contains(item.Claim))
                    {
                        item.Lose();
                    }
                }
            }
            catch (Exception exception)
            {
                Failed(exception, "heartbeats", cancellationToken);
            }
        }
    }

    private async Task RescueAllAsync(CancellationToken cancellationToken)
    {
        // The jitter keeps workers that started together from looking together.
        while (await DelayAsync(options.StaleAfter / 2 * (0.75 + (Random.Shared.NextDouble() / 2)), cancellationToken).ConfigureAwait(false))
        {
            // After an outage all items look stale. Their workers get time for a heartbeat.
            if (Volatile.Read(ref lastFailure) is not 0 and var failure && Time.GetElapsedTime(failure) < options.StaleAfter / 2)
            {
                continue;
            }

            try
            {
                await RescueAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                Failed(exception, "rescues", cancellationToken);
            }
        }
    }

    private void Failed(Exception exception, string work, CancellationToken cancellationToken)
    {
        Volatile.Write(ref lastFailure, Time.GetTimestamp());
        if (!cancellationToken.IsCancellationRequested)
        {
            Log.WorkerFailed(Logger, table, work, Telemetry.ErrorType(exception));
        }
    }

    /// <returns>Whether the time has passed before the token was cancelled.</returns>
    private async Task<bool> DelayAsync(TimeSpan delay, CancellationToken cancellationToken)
    {
        await Task.Delay(delay, Time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !cancellationToken.IsCancellationRequested;
    }
}

using CrawlData.Instrumentation;
using CrawlData.Retention;
using CrawlData.Schema;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace CrawlData.Workers;

/// <summary>A hosted service that sweeps expired artifacts, purges old rows, and makes partitions of events ahead.</summary>
/// <remarks>Several processes may run it. Sweeps and purges lock their rows and skip those of others. So no artifact is passed to two stores at a
/// time.</remarks>
/// <param name="sweeper">Sweeps.</param>
/// <param name="purger">Purges.</param>
/// <param name="partitioner">Makes partitions ahead.</param>
/// <param name="options">The options.</param>
/// <param name="key">The key of the application's store; null for one without.</param>
/// <param name="scopes">Makes a scope for each round.</param>
/// <param name="timeProvider">Measures pauses; may be null.</param>
/// <param name="logger">Logs failures; may be null.</param>
internal sealed class Janitor(
    ArtifactSweeper sweeper,
    RetentionPurger purger,
    EventPartitioner partitioner,
    JanitorOptions options,
    string? key,
    IServiceScopeFactory scopes,
    TimeProvider? timeProvider,
    ILogger? logger) : BackgroundService
{
    private static readonly TimeSpan LongestFirstPause = TimeSpan.FromMinutes(1);

    private readonly TimeProvider time = timeProvider ?? TimeProvider.System;
    private readonly ILogger log = logger.Guarded();

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var scope = scopes.CreateAsyncScope();
        await using (scope.ConfigureAwait(false))
        {
            if (FindStore(scope.ServiceProvider) is null
                && options is { PurgeArtifactsAfter: null, PurgeSessionsAfter: null, PurgeCrawlsAfter: null })
            {
                var store = key is null ? "an IArtifactStore" : $"an IArtifactStore with the key \"{key}\"";
                throw new InvalidOperationException($"AddCrawlDataJanitor has nothing to do. Register {store}, or set an age at which rows are purged.");
            }
        }

        await base.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The jitter keeps processes that start together from working together.
        var longest = options.Interval < LongestFirstPause ? options.Interval : LongestFirstPause;
        for (var pause = longest * Random.Shared.NextDouble(); ; pause = options.Interval)
        {
            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(false);

            // First: without a partition, appends wait.
            await TryAsync("making of partitions", () => partitioner.MakeAheadAsync(stoppingToken), stoppingToken).ConfigureAwait(false);
            await TryAsync("sweep", () => SweepAsync(stoppingToken), stoppingToken).ConfigureAwait(false);
            await PurgeAsync("purge of artifacts", options.PurgeArtifactsAfter, age => purger.PurgeArtifactsAsync(age, cancellationToken: stoppingToken))
                .ConfigureAwait(false);
            await PurgeAsync("purge of sessions", options.PurgeSessionsAfter, age => purger.PurgeSessionsAsync(age, cancellationToken: stoppingToken))
                .ConfigureAwait(false);
            await PurgeAsync("purge of crawls", options.PurgeCrawlsAfter, age => purger.PurgeCrawlsAsync(age, cancellationToken: stoppingToken))
                .ConfigureAwait(false);
        }

        Task PurgeAsync(string job, TimeSpan? after, Func<TimeSpan, Task<PurgeTotal>> purge) =>
            after is { } age ? TryAsync(job, () => purge(age), stoppingToken) : Task.CompletedTask;
    }

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        var scope = scopes.CreateAsyncScope();
        await using (scope.ConfigureAwait(false))
        {
            if (FindStore(scope.ServiceProvider) is { } store)
            {
                await sweeper.SweepAsync(store, cancellationToken: cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // A job that fails, also in the application's store, keeps no other job from running.
    private async Task TryAsync(string job, Func<Task> work, CancellationToken cancellationToken)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            Log.JanitorFailed(log, job, Telemetry.ErrorType(exception));
        }
    }

    private IArtifactStore? FindStore(IServiceProvider services) =>
        key is null ? services.GetService<IArtifactStore>() : services.GetKeyedService<IArtifactStore>(key);
}

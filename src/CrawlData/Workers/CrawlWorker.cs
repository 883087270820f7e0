using CrawlData.Crawls;
using CrawlData.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Workers;

/// <summary>A hosted worker on runs.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="queue">The queue.</param>
/// <param name="writer">Writes the events of the handlers.</param>
/// <param name="options">The options.</param>
/// <param name="listen">Whether to listen for notifications.</param>
/// <param name="key">The handler's key; null for one without.</param>
/// <param name="scopes">Makes a scope for each claim.</param>
/// <param name="timeProvider">Measures pauses; may be null.</param>
/// <param name="logger">Logs failures; may be null.</param>
internal sealed class CrawlWorker<THandler>(
    NpgsqlDataSource dataSource,
    CrawlRunQueue queue,
    CrawlEventWriter writer,
    WorkerOptions options,
    bool listen,
    string? key,
    IServiceScopeFactory scopes,
    TimeProvider? timeProvider,
    ILogger? logger)
    : Worker<CrawlRunClaim>(dataSource, CrawlRunRepository.Table, options, scopes, timeProvider, logger)
    where THandler : class, ICrawlHandler
{
    private readonly NpgsqlDataSource dataSource = dataSource;

    protected override Guid IdOf(CrawlRunClaim claim) => claim.Run.Id;

    protected override int AttemptOf(CrawlRunClaim claim) => claim.Attempt;

    protected override IAsyncEnumerable<CrawlRunClaim> StreamClaimsAsync(CancellationToken cancellationToken) =>
        queue.StreamClaimsAsync(new ClaimOptions { PollInterval = Options.PollInterval, Listen = listen }, cancellationToken);

    protected override async Task<Func<CancellationToken, Task<bool>>> HandleAsync(
        IServiceProvider services, CrawlRunClaim claim, CancellationToken cancellationToken)
    {
        await Handler(services).HandleAsync(new CrawlContext(claim, writer), cancellationToken).ConfigureAwait(false);
        return async token => HasEnded(await queue.CompleteAsync(claim, cancellationToken: token).ConfigureAwait(false), CrawlStatus.Completed);
    }

    protected override async Task<Exception?> FlushAsync(CrawlRunClaim claim, CancellationToken cancellationToken)
    {
        try
        {
            await writer.FlushAsync(claim.Run.Id, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (CrawlEventsNotStoredException exception)
        {
            // The writer has logged them. It refuses further events of the run until they are taken.
            writer.TakeUnstored(claim.Run.Id);
            return exception.Events.Select(unstored => unstored.Error).OfType<ClaimLostException>().FirstOrDefault() ?? (Exception)exception;
        }
    }

    // In one transaction: a process that dies after the failure does not lose the retry.
    protected override Task<bool> RetryAsync(CrawlRunClaim claim, string error, TimeSpan delay, CancellationToken cancellationToken) =>
        dataSource.InTransactionAsync(async (_, transaction) =>
        {
            var failed = await queue.FailAsync(claim, error, transaction, cancellationToken).ConfigureAwait(false);
            if (failed.Outcome == TransitionOutcome.Applied)
            {
                await queue.RetryAsync(claim.Run.Id, delay, Options.MaxAttempts, transaction, cancellationToken).ConfigureAwait(false);
            }

            return HasEnded(failed, CrawlStatus.Failed);
        }, cancellationToken);

    protected override async Task<bool> ReleaseAsync(CrawlRunClaim claim, CancellationToken cancellationToken) =>
        HasEnded(await queue.ReleaseAsync(claim, cancellationToken: cancellationToken).ConfigureAwait(false), CrawlStatus.Pending);

    protected override async Task<IReadOnlyList<Guid>> HeartbeatAsync(IReadOnlyList<CrawlRunClaim> claims, CancellationToken cancellationToken) =>
        [.. (await queue.HeartbeatAsync(claims, cancellationToken).ConfigureAwait(false)).Select(claim => claim.Run.Id)];

    protected override Task RescueAsync(CancellationToken cancellationToken) =>
        dataSource.InTransactionAsync(async (_, transaction) =>
        {
            foreach (var run in await queue.FailStaleAsync(Options.StaleAfter, transaction: transaction, cancellationToken: cancellationToken)
                .ConfigureAwait(false))
            {
                await queue.RetryAsync(run.Id, TimeSpan.Zero, Options.MaxAttempts, transaction, cancellationToken).ConfigureAwait(false);
            }

            return true;
        }, cancellationToken);

    // An end whose answer was lost is sent again. Then it is refused, and the run shows it.
    private static bool HasEnded(Transition<CrawlRun> ending, CrawlStatus end) =>
        ending.Outcome == TransitionOutcome.Applied || ending.Row?.Status == end;

    private THandler Handler(IServiceProvider services) =>
        key is null ? services.GetRequiredService<THandler>() : services.GetRequiredKeyedService<THandler>(key);
}

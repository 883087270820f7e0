using CrawlData.Audits;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Workers;

/// <summary>A hosted worker on sessions.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="queue">The queue.</param>
/// <param name="options">The options.</param>
/// <param name="listen">Whether to listen for notifications.</param>
/// <param name="key">The handler's key; null for one without.</param>
/// <param name="scopes">Makes a scope for each session.</param>
/// <param name="timeProvider">Measures pauses; may be null.</param>
/// <param name="logger">Logs failures; may be null.</param>
internal sealed class AuditWorker<THandler>(
    NpgsqlDataSource dataSource,
    AuditSessionQueue queue,
    WorkerOptions options,
    bool listen,
    string? key,
    IServiceScopeFactory scopes,
    TimeProvider? timeProvider,
    ILogger? logger)
    : Worker<AuditSession>(dataSource, AuditSessionRepository.Table, options, scopes, timeProvider, logger)
    where THandler : class, IAuditHandler
{
    protected override Guid IdOf(AuditSession claim) => claim.Id;

    protected override int AttemptOf(AuditSession claim) => claim.Attempts;

    protected override IAsyncEnumerable<AuditSession> StreamClaimsAsync(CancellationToken cancellationToken) =>
        queue.StreamClaimsAsync(new ClaimOptions { PollInterval = Options.PollInterval, Listen = listen }, cancellationToken);

    protected override async Task<Func<CancellationToken, Task<bool>>> HandleAsync(
        IServiceProvider services, AuditSession claim, CancellationToken cancellationToken)
    {
        var context = new AuditContext(claim);
        await Handler(services).HandleAsync(context, cancellationToken).ConfigureAwait(false);
        return context.Missing is { } missing
            ? token => EndAsync(claim, queue.CompletePartiallyAsync(claim.Id, claim.Attempts, missing, cancellationToken: token), AuditSessionStatus.Partial)
            : token => EndAsync(claim, queue.CompleteAsync(claim.Id, claim.Attempts, cancellationToken: token), AuditSessionStatus.Completed);
    }

    protected override Task<bool> RetryAsync(AuditSession claim, string error, TimeSpan delay, CancellationToken cancellationToken) => EndAsync(
        claim,
        queue.RetryAsync(claim.Id, claim.Attempts, error, delay, Options.MaxAttempts, cancellationToken: cancellationToken),
        AuditSessionStatus.Queued,
        AuditSessionStatus.Failed);

    protected override Task<bool> ReleaseAsync(AuditSession claim, CancellationToken cancellationToken) =>
        EndAsync(claim, queue.ReleaseAsync(claim.Id, claim.Attempts, cancellationToken: cancellationToken), AuditSessionStatus.Queued);

    protected override Task<IReadOnlyList<Guid>> HeartbeatAsync(IReadOnlyList<AuditSession> claims, CancellationToken cancellationToken) =>
        queue.HeartbeatAsync(claims.Select(claim => (claim.Id, claim.Attempts)), cancellationToken: cancellationToken);

    protected override Task RescueAsync(CancellationToken cancellationToken) =>
        queue.RescueStaleAsync(Options.StaleAfter, Options.MaxAttempts, cancellationToken: cancellationToken);

    // An end whose answer was lost is sent again. Then it is refused, and the session shows it.
    private static async Task<bool> EndAsync(AuditSession claim, Task<Transition<AuditSession>> ending, params AuditSessionStatus[] ends) =>
        await ending.ConfigureAwait(false) switch
        {
            { Outcome: TransitionOutcome.Applied } => true,
            { Row: { } row } => row.Attempts == claim.Attempts && ends.Contains(row.Status),
            _ => false,
        };

    private THandler Handler(IServiceProvider services) =>
        key is null ? services.GetRequiredService<THandler>() : services.GetRequiredKeyedService<THandler>(key);
}

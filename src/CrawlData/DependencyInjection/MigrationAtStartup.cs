using CrawlData.Diagnostics;
using CrawlData.Instrumentation;
using CrawlData.Schema;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>Migrates the schema when the host starts, and logs what <see cref="DatabaseDoctor"/> finds. It waits for a server that cannot be reached yet, as
/// appends do.</summary>
/// <remarks>StartingAsync of all services runs before StartAsync of any. A script that fails is not retried.</remarks>
internal sealed class MigrationAtStartup(
    SchemaMigrator migrator,
    DatabaseDoctor doctor,
    CrawlDataSources sources,
    IOptions<CrawlDataOptions> options,
    ILogger<SchemaMigrator>? logger = null,
    ILogger<DatabaseDoctor>? doctorLogger = null,
    TimeProvider? timeProvider = null) : LifecycleService
{
    private readonly ILogger log = doctorLogger.Guarded();

    public override async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.MigrateAtStartup)
        {
            var retry = new RetryPolicy(
                sources.Primary,
                options.Value.Retry.Limit,
                timeProvider ?? TimeProvider.System,
                new Telemetry(sources.Primary, "crawldata_journal"),
                logger.Guarded());
            await retry.RunAsync(() => migrator.MigrateAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
            await CheckAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var finding in await doctor.CheckAsync(cancellationToken).ConfigureAwait(false))
            {
                Log.PromiseVoided(log, finding.Subject, finding.Value, finding.Effect, finding.Remedy);
            }
        }
        catch (NpgsqlException exception)
        {
            // The host starts: the database was usable a moment ago, and the health check runs the checks again.
            Log.ChecksFailed(log, Telemetry.ErrorType(exception));
        }
    }
}

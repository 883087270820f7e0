using CrawlData.Diagnostics;
using CrawlData.Instrumentation;
using CrawlData.Schema;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>Migrates the schema when the host starts, and logs what <see cref="DatabaseDoctor"/> finds.</summary>
/// <remarks>StartingAsync of all services runs before StartAsync of any.</remarks>
internal sealed class MigrationAtStartup(SchemaMigrator migrator, DatabaseDoctor doctor, bool migrates, ILogger? logger) : LifecycleService
{
    private readonly ILogger log = logger.Guarded();

    public override async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (migrates)
        {
            await migrator.MigrateAsync(cancellationToken).ConfigureAwait(false);
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

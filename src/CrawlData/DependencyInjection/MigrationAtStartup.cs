using CrawlData.Diagnostics;
using CrawlData.Instrumentation;
using CrawlData.Schema;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>Migrates the schema of each database when the host starts, and logs what <see cref="DatabaseDoctor"/> finds. It waits for a server that cannot be
/// reached yet, as appends do.</summary>
/// <remarks>StartingAsync of all services runs before StartAsync of any. A script that fails is not retried. All databases are migrated at once, so their waits
/// do not add up.</remarks>
internal sealed class MigrationAtStartup(IServiceProvider provider, IEnumerable<RegisteredDatabase> databases) : LifecycleService
{
    private readonly IReadOnlyList<DatabaseServices> databases = [.. databases.Select(database => new DatabaseServices(provider, database.Key))];

    public override Task StartingAsync(CancellationToken cancellationToken) => Task.WhenAll(
        databases.Where(database => database.Options.MigrateAtStartup).Select(database => MigrateAsync(database, cancellationToken)));

    private static async Task MigrateAsync(DatabaseServices database, CancellationToken cancellationToken)
    {
        var log = database.Logger<SchemaMigrator>().Guarded();
        var retry = new RetryPolicy(
            database.Primary,
            database.Options.Retry.Limit,
            database.Time ?? TimeProvider.System,
            new Telemetry(database.Primary, "crawldata_journal"),
            log);
        try
        {
            await retry.RunAsync(() => database.Get<SchemaMigrator>().MigrateAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (database.Key is not null)
        {
            // The host logs the exception, which does not name the database.
            Log.MigrationFailed(log, database.Key, Telemetry.ErrorType(exception));
            throw;
        }

        await CheckAsync(database, cancellationToken).ConfigureAwait(false);
    }

    private static async Task CheckAsync(DatabaseServices database, CancellationToken cancellationToken)
    {
        var log = database.Logger<DatabaseDoctor>().Guarded();
        try
        {
            foreach (var finding in await database.Get<DatabaseDoctor>().CheckAsync(cancellationToken).ConfigureAwait(false))
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

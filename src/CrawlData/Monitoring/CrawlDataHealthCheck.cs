using CrawlData.Instrumentation;
using CrawlData.Schema;
using CrawlData.Storage;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Diagnostics;

/// <summary>Checks that the database can be reached, that its schema is up to date, and that it accepts writes where they are expected. It also reports what
/// <see cref="DatabaseDoctor"/> finds.</summary>
/// <remarks>
/// <para>A check reads with a few short statements, on connections of the data source. It lasts as long as the registration's time-out and the connection's own
/// allow. <c>AddHealthChecks().AddCrawlData()</c> of the package CrawlData.Diagnostics registers it with a time-out of 5 seconds.</para>
/// <para>The role needs SELECT on <c>crawldata_journal</c>. Without it the check reports degraded. Response writers print
/// descriptions and exceptions for whoever asks. So a result has no exception, and its description names an error by its SQLSTATE or type. The exception is
/// logged.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="expectWrites">Whether a database that refuses writes, such as a standby, is unhealthy.</param>
/// <param name="logger">Logs the exceptions of failed checks; may be null.</param>
/// <example>
/// <code>
/// builder.Services.AddCrawlData(connectionString);
/// builder.Services.AddHealthChecks().AddCheck&lt;CrawlDataHealthCheck&gt;("crawldata", timeout: TimeSpan.FromSeconds(5));
/// </code>
/// </example>
public sealed class CrawlDataHealthCheck(
    NpgsqlDataSource dataSource, bool expectWrites = true, ILogger<CrawlDataHealthCheck>? logger = null) : IHealthCheck
{
    internal const string ReadOnlySql = "select pg_catalog.current_setting('transaction_read_only') = 'on'";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly SchemaMigrator migrator = new(dataSource);
    private readonly DatabaseDoctor doctor = new(dataSource);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Runs the check.</summary>
    /// <param name="context">The check's context, with its registration.</param>
    /// <param name="cancellationToken">Cancels the check.</param>
    /// <returns>Healthy when the schema is up to date. Degraded when the role may not read the journal, or when a state of the database voids a promise of
    /// the library. Otherwise the failure status of the registration.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        HealthCheckResult Unhealthy(string description) => new(context.Registration.FailureStatus, description);
        try
        {
            var isReadOnly = await dataSource.QuerySingleAsync(ReadOnlySql, null, row => row.GetBoolean(0), null, cancellationToken).ConfigureAwait(false);
            if (isReadOnly && expectWrites)
            {
                return Unhealthy("The database takes no writes. It is a standby, or read-only.");
            }

            var pending = await migrator.ListPendingAsync(cancellationToken).ConfigureAwait(false);
            if (pending.Count > 0)
            {
                return Unhealthy($"The schema is not up to date. Pending scripts: {string.Join(", ", pending)}.");
            }

            var findings = await doctor.CheckAsync(cancellationToken).ConfigureAwait(false);
            return findings.Count == 0
                ? HealthCheckResult.Healthy("The schema is up to date.")
                : HealthCheckResult.Degraded($"{string.Join(" ", findings)} crawldata doctor says how to mend it.");
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            Log.HealthCheckFailed(log, exception);
            return HealthCheckResult.Degraded("The role may not read crawldata_journal. It is unknown whether the schema is up to date.");
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // Any error, because the health check service would report an exception's text.
            Log.HealthCheckFailed(log, exception);
            return Unhealthy(exception is MigrationException ? exception.Message : $"The database cannot be used: {Telemetry.ErrorType(exception)}.");
        }
    }
}

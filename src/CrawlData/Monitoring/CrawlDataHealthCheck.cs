using CrawlData.Instrumentation;
using CrawlData.Schema;
using CrawlData.Storage;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace CrawlData.Diagnostics;

/// <summary>Whether the database can be worked with: it can be reached, its schema is up to date, and it takes writes where they are expected. With dependency injection:
/// <c>services.AddHealthChecks().AddCheck&lt;CrawlDataHealthCheck&gt;("crawldata")</c>.</summary>
/// <remarks>It takes a connection of the data source's, two statements that read, and as long as the connection's own time-outs allow: give the registration a time-out.
/// The role needs SELECT on <c>crawldata_journal</c>; without it the check says degraded, since nobody knows whether the schema is up to date. What it says holds no
/// secret.</remarks>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
/// <param name="expectWrites">Whether a database that takes no writes, such as a standby, is unhealthy.</param>
public sealed class CrawlDataHealthCheck(NpgsqlDataSource dataSource, bool expectWrites = true) : IHealthCheck
{
    internal const string ReadOnlySql = "select current_setting('transaction_read_only') = 'on'";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly SchemaMigrator migrator = new(dataSource);

    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        HealthCheckResult Unhealthy(string description, Exception? exception = null) => new(context.Registration.FailureStatus, description, exception);
        try
        {
            var isReadOnly = await dataSource.QuerySingleAsync(ReadOnlySql, null, row => row.GetBoolean(0), null, cancellationToken).ConfigureAwait(false);
            if (isReadOnly && expectWrites)
            {
                return Unhealthy("The database takes no writes: it is a standby, or read-only.");
            }

            var pending = await migrator.ListPendingAsync(cancellationToken).ConfigureAwait(false);
            return pending.Count == 0
                ? HealthCheckResult.Healthy("The schema is up to date.")
                : Unhealthy($"The schema is not up to date; pending: {string.Join(", ", pending)}.");
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return HealthCheckResult.Degraded("The role may not read crawldata_journal, so nobody knows whether the schema is up to date.");
        }
        catch (ScriptChangedException exception)
        {
            return Unhealthy(exception.Message, exception);
        }
        catch (NpgsqlException exception)
        {
            return Unhealthy($"The database cannot be worked with: {Telemetry.ErrorType(exception)}.", exception);
        }
    }
}

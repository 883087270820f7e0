using System.Data;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Reads;

/// <summary>The dashboard's reads of the database: few at a time, each in a transaction that only reads and whose statements have a time limit.</summary>
internal sealed class DashboardDatabase
{
    // Both settings end with the transaction.
    internal const string LimitSql =
        "select pg_catalog.set_config('transaction_read_only', 'on', true), pg_catalog.set_config('statement_timeout', @milliseconds, true)";

    private readonly CrawlDataDashboardOptions options;
    private readonly NpgsqlDataSource dataSource;
    private readonly SemaphoreSlim turns;

    public DashboardDatabase(IServiceProvider services, CrawlDataDashboardOptions options)
    {
        this.options = options;
        dataSource = FindDataSource(services, options.ServiceKey);
        Repositories = new Repositories(dataSource, services);
        turns = new SemaphoreSlim(options.MaxConnections);
    }

    public Repositories Repositories { get; }

    /// <summary>Gets whether sessions share connections, so that none can listen.</summary>
    public bool Multiplexes => new NpgsqlConnectionStringBuilder(dataSource.ConnectionString).Multiplexing;

    /// <summary>Calls the work in a read-only transaction, which has one snapshot.</summary>
    /// <exception cref="DashboardBusyException">Other requests held all connections for <see cref="CrawlDataDashboardOptions.StatementTimeout"/>.</exception>
    public Task<T> ReadAsync<T>(Func<NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken) =>
        InTurnAsync(
            async () =>
            {
                var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                await using var connectionDisposal = connection.ConfigureAwait(false);
                var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
                await using var transactionDisposal = transaction.ConfigureAwait(false);
                var limit = new NpgsqlCommand(LimitSql, connection, transaction);
                await using (limit.ConfigureAwait(false))
                {
                    limit.Parameters.Add(new NpgsqlParameter("milliseconds", NpgsqlDbType.Text) { Value = $"{options.StatementTimeout.TotalMilliseconds:F0}" });
                    await limit.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                }

                return await work(transaction).ConfigureAwait(false);
            },
            cancellationToken);

    /// <summary>Calls work that opens its own connection, one at a time. It is cancelled after the time that one statement may take.</summary>
    /// <exception cref="DashboardBusyException">Other requests held all connections for <see cref="CrawlDataDashboardOptions.StatementTimeout"/>.</exception>
    /// <exception cref="TimeoutException">The work was cancelled.</exception>
    public Task<T> ReadAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken) =>
        InTurnAsync(
            async () =>
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                limit.CancelAfter(options.StatementTimeout);
                try
                {
                    return await work(limit.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
                {
                    throw new TimeoutException("The reads took too long.", exception);
                }
            },
            cancellationToken);

    private async Task<T> InTurnAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        if (!await turns.WaitAsync(options.StatementTimeout, cancellationToken).ConfigureAwait(false))
        {
            throw new DashboardBusyException("Other requests use all of its connections.");
        }

        try
        {
            return await work().ConfigureAwait(false);
        }
        finally
        {
            turns.Release();
        }
    }

    // As the services of AddCrawlData do.
    private static NpgsqlDataSource FindDataSource(IServiceProvider services, string? key)
    {
        var options = services.GetRequiredService<IOptionsMonitor<CrawlDataOptions>>().Get(key);
        var dataSource = options.DataSource?.Invoke(services)
            ?? (key is null ? services.GetRequiredService<NpgsqlDataSource>() : services.GetRequiredKeyedService<NpgsqlDataSource>(key));
        return dataSource is NpgsqlMultiHostDataSource hosts
            ? hosts.WithTargetSession(options.ReadFromStandby ? TargetSessionAttributes.PreferStandby : TargetSessionAttributes.Primary)
            : dataSource;
    }
}

using System.Runtime.CompilerServices;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>How Citus distributes the crawls of a database. It is asked once for each data source, because a distribution is for good.</summary>
/// <param name="IsOnCitus">Whether the database has Citus. Statements are chosen that are fast there.</param>
/// <param name="IsByCrawl">Whether each crawl has a node of its own. No statement locks the runs of several nodes there, or joins them with what does not name
/// a crawl.</param>
internal sealed record CrawlDistribution(bool IsOnCitus, bool IsByCrawl)
{
    // Only a distribution by crawl has a key of two columns. Plain PostgreSQL has no catalog of Citus that could be asked.
    internal const string DistributionSql =
        $"""
        select {Citus.IsInstalled},
               {Citus.IsInstalled}
                   and exists (
                       select from pg_catalog.pg_index
                       where indexrelid operator(pg_catalog.=) pg_catalog.to_regclass('crawl_events_pkey')::oid and indnatts operator(pg_catalog.=) 2)
        """;

    private static readonly ConditionalWeakTable<NpgsqlDataSource, CrawlDistribution> Known = [];

    /// <summary>Gets the distribution.</summary>
    /// <param name="dataSource">The application's data source.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public static ValueTask<CrawlDistribution> OfAsync(NpgsqlDataSource dataSource, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        Find(dataSource) is { } known
            ? new(known)
            : new(dataSource.UseAsync(
                transaction, connection => ReadAsync(dataSource, connection, transaction, cancellationToken), cancellationToken));

    /// <inheritdoc cref="OfAsync(NpgsqlDataSource, NpgsqlTransaction?, CancellationToken)"/>
    /// <param name="dataSource">The application's data source.</param>
    /// <param name="connection">Is asked when the data source has not been.</param>
    /// <param name="transaction">The connection's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public static ValueTask<CrawlDistribution> OfAsync(
        NpgsqlDataSource dataSource, NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        Find(dataSource) is { } known ? new(known) : new(ReadAsync(dataSource, connection, transaction, cancellationToken));

    /// <summary>Forgets the distribution, which is asked for again.</summary>
    public static void Forget(NpgsqlDataSource dataSource) => Known.Remove(dataSource);

    /// <summary>Gets the distribution if the data source has been asked; null otherwise.</summary>
    public static CrawlDistribution? Find(NpgsqlDataSource dataSource) => Known.TryGetValue(dataSource, out var known) ? known : null;

    /// <summary>Whether an error may say that the crawls have been distributed by crawl since the data source was asked.</summary>
    public static bool IsOutdated(PostgresException exception) => exception.SqlState == PostgresErrorCodes.FeatureNotSupported;

    private static async Task<CrawlDistribution> ReadAsync(
        NpgsqlDataSource dataSource, NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var distribution = await connection.QuerySingleAsync(
            DistributionSql, null, row => new CrawlDistribution(row.GetBoolean(0), row.GetBoolean(1)), transaction, cancellationToken).ConfigureAwait(false);
        Known.AddOrUpdate(dataSource, distribution);
        return distribution;
    }
}

using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Ids as people type them: shortened to a prefix.</summary>
public sealed partial class CrawlRunRepository
{
    internal const string FindIdsSql = "select id from crawl_runs where id >= @first_id and id <= @last_id order by id limit @limit";

    // Each id with its neighbours: an id has no longer prefix in common with another row.
    internal const string NeighbourIdsSql =
        """
        select asked.id,
               (select crawl_runs.id from crawl_runs where crawl_runs.id < asked.id order by crawl_runs.id desc limit 1),
               (select crawl_runs.id from crawl_runs where crawl_runs.id > asked.id order by crawl_runs.id limit 1)
        from pg_catalog.unnest(@ids) as asked (id)
        """;

    // As above, where each crawl has a node of its own. It reads the ids of all runs between the first and the last, which a page of a listing has nearly all.
    internal const string NeighbourIdsByCrawlSql =
        """
        select id, previous_id, next_id
        from (
            select id, pg_catalog.lag(id) over by_id as previous_id, pg_catalog.lead(id) over by_id as next_id
            from (
                (select id from crawl_runs where id < @first_id order by id desc limit 1)
                union
                (select id from crawl_runs where id >= @first_id and id <= @last_id)
                union
                (select id from crawl_runs where id > @last_id order by id limit 1)
                union
                (select pg_catalog.unnest(@ids))
            ) as near
            window by_id as (order by id)
        ) as neighbours
        where id = any (@ids)
        """;

    /// <summary>Finds the runs whose ids begin with a prefix, such as one of <see cref="ShortenIdsAsync"/>.</summary>
    /// <param name="idPrefix">The prefix: 1 to 32 hexadecimal digits, in upper or lower case, with or without hyphens.</param>
    /// <param name="limit">The most ids, 1 or more. With 2, the result shows whether the prefix is ambiguous.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The ids, in order; empty when no run has the prefix.</returns>
    /// <exception cref="InvalidValueException">The prefix is not the beginning of an id.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    public Task<IReadOnlyList<Guid>> FindIdsAsync(
        string idPrefix, int limit = 2, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        IdPrefix.Parse(idPrefix).FindAsync(reads, FindIdsSql, ArgumentRange.RequireAtLeastOne(limit), transaction, cancellationToken);

    /// <summary>Shortens ids to prefixes of 8 characters or more that no other run has at the time of the query. A run that is inserted later may have
    /// it too.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The prefix of each id.</returns>
    public async Task<IReadOnlyDictionary<Guid, string>> ShortenIdsAsync(
        IEnumerable<Guid> ids, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var distribution = await CrawlDistribution.OfAsync(reads, transaction, cancellationToken).ConfigureAwait(false);
        return await IdPrefix.ShortenAsync(
            reads, distribution.IsByCrawl ? NeighbourIdsByCrawlSql : NeighbourIdsSql, ids, transaction, cancellationToken).ConfigureAwait(false);
    }
}

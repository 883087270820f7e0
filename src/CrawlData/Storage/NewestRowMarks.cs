using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>Marks: which row of a table was the newest at which time of the server's clock. A parent without a row after a mark has been silent since
/// then.</summary>
/// <param name="takeSql">Inserts a mark.</param>
/// <param name="thinSql">Deletes marks that are not needed: see <see cref="IsSuperfluous"/>.</param>
/// <param name="readSql">Returns the id of the newest mark that is old enough: see <see cref="IsOldEnough"/>.</param>
internal sealed class NewestRowMarks(string takeSql, string thinSql, string readSql)
{
    /// <summary>Of the marks of nearly one age, the oldest is kept: some hundred marks for a century. Each age up to that has a mark that is older by a tenth
    /// at most. It needs <c>marks</c>, which has the column <c>marked_at</c>.</summary>
    public const string IsSuperfluous =
        """
        marked_at <> all (array(
            select pg_catalog.min(marked_at) from marks
            group by pg_catalog.floor(20.0 * pg_catalog.ln(1.0 + greatest(extract(epoch from pg_catalog.clock_timestamp() - marked_at), 0)))))
        """;

    public const string IsOldEnough = "marked_at <= pg_catalog.clock_timestamp() - @silent_for";

    /// <summary>Takes a mark, and deletes those that are not needed.</summary>
    public async Task TakeAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(takeSql, null, transaction, cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync(thinSql, null, transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads the newest mark that is old enough.</summary>
    /// <returns>The id of the row that was the newest then; null when no mark is old enough.</returns>
    public async Task<long?> ReadAsync(
        NpgsqlConnection connection, TimeSpan silentFor, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var parameters = new Parameters { { "silent_for", NpgsqlDbType.Interval, silentFor } };
        var marks = await connection.QueryAsync(readSql, parameters, row => row.GetInt64(0), transaction, cancellationToken).ConfigureAwait(false);
        return marks is [var mark] ? mark : null;
    }

    /// <exception cref="ArgumentOutOfRangeException">The time or the limit is out of range.</exception>
    public static void RequireStale(TimeSpan silentFor, int limit)
    {
        ArgumentRange.Require(silentFor, ArgumentRange.ShortestDuration, ArgumentRange.LongestDuration);
        ArgumentRange.RequireAtLeastOne(limit);
    }

    /// <summary>Makes the parameters of a query for stale parents.</summary>
    public static Parameters ToStaleParameters(long mark, TimeSpan silentFor, int limit) => new()
    {
        { "mark", NpgsqlDbType.Bigint, mark },
        { "silent_for", NpgsqlDbType.Interval, silentFor },
        { "limit", NpgsqlDbType.Integer, limit },
    };
}

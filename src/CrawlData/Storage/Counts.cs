using Npgsql;

namespace CrawlData.Storage;

/// <summary>Runs queries of two columns: a group, and a count.</summary>
internal static class Counts
{
    /// <summary>Counts by the labels of an enum.</summary>
    /// <returns>A count for each value; 0 where there is no row.</returns>
    public static async Task<IReadOnlyDictionary<T, long>> CountByLabelAsync<T>(
        this NpgsqlDataSource dataSource, string sql, Parameters parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
        where T : struct, Enum
    {
        var counts = Enum.GetValues<T>().ToDictionary(value => value, _ => 0L);
        var rows = await dataSource.QueryAsync(sql, parameters, row => (row.GetLabel<T>(0), row.GetInt64(1)), transaction, cancellationToken)
            .ConfigureAwait(false);
        foreach (var (value, count) in rows)
        {
            counts[value] = count;
        }

        return counts;
    }

    /// <summary>Counts by a text column.</summary>
    /// <returns>A count for each text that occurs.</returns>
    public static async Task<IReadOnlyDictionary<string, long>> CountByTextAsync(
        this NpgsqlDataSource dataSource, string sql, Parameters parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryAsync(
            sql, parameters, row => KeyValuePair.Create(row.GetString(0), row.GetInt64(1)), transaction, cancellationToken).ConfigureAwait(false);
        return rows.ToDictionary();
    }
}

using System.Data.Common;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Runs queries of two columns: a group, and a count.</summary>
internal static class Counts
{
    /// <summary>Counts by the labels of an enum. Rows of a label that this version does not know are passed over.</summary>
    /// <returns>A count for each value; 0 where there is no row.</returns>
    public static async Task<IReadOnlyDictionary<T, long>> CountByLabelAsync<T>(
        this NpgsqlDataSource dataSource,
        string table,
        string sql,
        Parameters parameters,
        PassedOverRows passedOver,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
        where T : struct, Enum =>
        await dataSource.QueryByLabelAsync<T, long>(table, sql, parameters, row => row.GetInt64(1), count => count, passedOver, transaction, cancellationToken)
            .ConfigureAwait(false);

    /// <summary>Runs a query of a label, and of values that include a count of rows.</summary>
    /// <returns>The values for each label; the default where there is no row.</returns>
    public static async Task<IReadOnlyDictionary<T, TValue>> QueryByLabelAsync<T, TValue>(
        this NpgsqlDataSource dataSource,
        string table,
        string sql,
        Parameters parameters,
        Func<DbDataReader, TValue> map,
        Func<TValue, long> count,
        PassedOverRows passedOver,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
        where T : struct, Enum
        where TValue : struct
    {
        var values = Enum.GetValues<T>().ToDictionary(value => value, _ => default(TValue));
        var rows = await dataSource.QueryAsync(
            sql, parameters, row => (Label: row.GetString(0), Column: row.GetName(0), Value: map(row)), transaction, cancellationToken).ConfigureAwait(false);
        foreach (var (label, column, value) in rows)
        {
            if (EnumLabels.TryParse<T>(label) is { } known)
            {
                values[known] = value;
            }
            else
            {
                passedOver.Add(UnreadableRowException.OfLabel(table, "", column, label), count(value));
            }
        }

        passedOver.Report();
        return values;
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

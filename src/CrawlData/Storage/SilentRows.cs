using System.Data.Common;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>Lists parents that were silent by the times that are stored. <see cref="NewestRowMarks"/> does it by marks.</summary>
internal static class SilentRows
{
    /// <summary>Lists them.</summary>
    /// <param name="dataSource">The application's data source.</param>
    /// <param name="sql">Lists them. It has the parameters <c>silent_for</c> and <c>limit</c>.</param>
    /// <param name="silentFor">The time without a sign of life.</param>
    /// <param name="limit">The most parents.</param>
    /// <param name="map">Maps a parent.</param>
    /// <param name="passedOver">Passes over and reports the parents that cannot be read.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public static async Task<IReadOnlyList<T>> ListSilentAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        TimeSpan silentFor,
        int limit,
        Func<DbDataReader, T> map,
        PassedOverRows passedOver,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) =>
        await dataSource.UseAsync(
            transaction,
            connection => connection.QueryReadableAsync(
                sql,
                new Parameters { { "silent_for", NpgsqlDbType.Interval, silentFor }, { "limit", NpgsqlDbType.Integer, limit } },
                map,
                passedOver,
                transaction,
                cancellationToken),
            cancellationToken).ConfigureAwait(false);
}

using System.Data.Common;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Inserts rows whose ids the client makes.</summary>
internal static class RowInserts
{
    /// <summary>Runs an INSERT that returns its rows.</summary>
    /// <returns>The rows in the order of <paramref name="ids"/>; empty when the statement inserted none.</returns>
    /// <exception cref="RowAlreadyExistsException">One of the ids is taken.</exception>
    public static async Task<IReadOnlyList<T>> InsertAsync<T>(
        this NpgsqlDataSource dataSource,
        string table,
        string sql,
        Parameters parameters,
        IReadOnlyList<Guid> ids,
        Func<DbDataReader, T> map,
        Func<T, Guid> id,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        Connections.ThrowIfAmbient(transaction);
        try
        {
            var rows = (await dataSource.QueryAsync(sql, parameters, map, transaction, cancellationToken).ConfigureAwait(false)).ToDictionary(id);
            return rows.Count == 0 ? [] : [.. ids.Select(inserted => rows[inserted])];
        }
        catch (PostgresException exception)
            when (exception.SqlState == PostgresErrorCodes.UniqueViolation && IsOfKey(exception, $"{table}_pkey"))
        {
            throw new RowAlreadyExistsException(table, ids, exception);
        }
    }

    // Citus passes on a shard's error without the constraint's name. Its text has the name of the shard's constraint: crawl_runs_pkey_102008.
    private static bool IsOfKey(PostgresException exception, string key) => exception.ConstraintName is { } name
        ? name == key
        : exception.MessageText.Contains($"\"{key}_", StringComparison.Ordinal);
}

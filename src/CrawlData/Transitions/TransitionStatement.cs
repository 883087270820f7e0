using System.Data.Common;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData;

/// <summary>Runs the statements of transitions.</summary>
internal static class TransitionStatement
{
    /// <summary>Runs a statement that returns the row, and in its last column whether the change was applied. It returns nothing when there is no such
    /// row.</summary>
    public static async Task<Transition<T>> RunTransitionAsync<T>(
        this NpgsqlDataSource dataSource,
        TransitionRule rule,
        Guid id,
        string sql,
        Parameters parameters,
        Func<DbDataReader, T> map,
        Func<T, DbDataReader, string> state,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) where T : class
    {
        Connections.ThrowIfAmbient(transaction);
        var outcome = await dataSource.QuerySingleOrDefaultAsync(
            sql,
            parameters,
            reader => map(reader) is var row && reader.GetBoolean(reader.FieldCount - 1)
                ? new Transition<T>(rule, id, TransitionOutcome.Applied, row)
                : new Transition<T>(rule, id, TransitionOutcome.Refused, row, state(row, reader)),
            transaction,
            cancellationToken).ConfigureAwait(false);
        return outcome ?? new Transition<T>(rule, id, TransitionOutcome.NotFound);
    }
}

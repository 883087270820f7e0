using System.Data.Common;
using Dapper;
using Npgsql;

namespace CrawlData;

internal static class Transitions
{
    /// <summary>Reads what a transition's statement returns: the row, and last whether the transition was applied; nothing when there is no such row.</summary>
    public static async Task<Transition<T>> ReadTransitionAsync<T>(
        this NpgsqlDataSource dataSource, CommandDefinition command, string table, Guid id, Func<DbDataReader, T> read, Func<T, string> standing) where T : class
    {
        var transitions = await dataSource.ReadListAsync(command, reader => read(reader) is var row && reader.GetBoolean(reader.FieldCount - 1)
            ? new Transition<T>(table, id, TransitionOutcome.Applied, row)
            : new Transition<T>(table, id, TransitionOutcome.Refused, row, standing(row))).ConfigureAwait(false);
        return transitions.SingleOrDefault() ?? new Transition<T>(table, id, TransitionOutcome.NotFound);
    }
}

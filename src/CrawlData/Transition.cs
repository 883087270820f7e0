using System.Data.Common;
using Dapper;
using Npgsql;

namespace CrawlData;

/// <summary>How a transition of a row's status came out.</summary>
public enum TransitionOutcome
{
    /// <summary>The row was changed.</summary>
    Applied,

    /// <summary>The row is there, but as it is it does not allow the transition: somebody else was first, or it had ended before.</summary>
    Refused,

    /// <summary>There is no such row.</summary>
    NotFound,
}

/// <summary>The outcome of a transition, with the row as it is.</summary>
/// <typeparam name="T">The row's type: a crawl run or an audit session.</typeparam>
public sealed record Transition<T> where T : class
{
    /// <summary>The row that was to be changed.</summary>
    public required Guid Id { get; init; }

    /// <summary>How it came out.</summary>
    public required TransitionOutcome Outcome { get; init; }

    /// <summary>The row after the transition or, when it was refused, as it is: the latest committed row that the transaction's isolation lets it see. Null
    /// when there is no such row.</summary>
    public T? Row { get; init; }

    internal string Table { get; init; } = "";

    /// <summary>What of the row refused, for the message: "is COMPLETED".</summary>
    internal string Standing { get; init; } = "";

    /// <summary>For a caller to whom only an applied transition will do.</summary>
    /// <returns>The row after the transition.</returns>
    /// <exception cref="TransitionRefusedException">It was refused.</exception>
    /// <exception cref="RowNotFoundException">There is no such row.</exception>
    public T EnsureApplied() => (Outcome, Row) switch
    {
        (TransitionOutcome.Applied, { } row) => row,
        (TransitionOutcome.Refused, _) => throw new TransitionRefusedException(Table, Id, Standing),
        _ => throw new RowNotFoundException(Table, [Id]),
    };
}

internal static class Transitions
{
    /// <summary>Reads what a transition's statement returns: the row, and last whether the transition was applied; nothing when there is no such row.</summary>
    public static async Task<Transition<T>> ReadTransitionAsync<T>(
        this NpgsqlDataSource dataSource, CommandDefinition command, string table, Guid id, Func<DbDataReader, T> read, Func<T, string> standing) where T : class
    {
        var transitions = await dataSource.ReadListAsync(command, reader => read(reader) is var row && reader.GetBoolean(reader.FieldCount - 1)
            ? new Transition<T> { Table = table, Id = id, Outcome = TransitionOutcome.Applied, Row = row }
            : new Transition<T> { Table = table, Id = id, Outcome = TransitionOutcome.Refused, Row = row, Standing = standing(row) }).ConfigureAwait(false);
        return transitions.SingleOrDefault() ?? new Transition<T> { Table = table, Id = id, Outcome = TransitionOutcome.NotFound };
    }
}

using System.Data.Common;
using Dapper;
using Npgsql;

namespace CrawlData;

/// <summary>How a change that a row has to allow came out: a transition of its status, or what an attempt records of its session.</summary>
public enum TransitionOutcome
{
    /// <summary>The row was changed.</summary>
    Applied,

    /// <summary>The row is there, but as it is it does not allow the change: somebody else was first, it had ended before, or it has gone to another
    /// attempt.</summary>
    Refused,

    /// <summary>There is no such row.</summary>
    NotFound,
}

/// <summary>The outcome of a transition, or of another change that the row has to allow, with the row as it is.</summary>
/// <typeparam name="T">The row's type: a crawl run, an audit session or a page.</typeparam>
public sealed class Transition<T> where T : class
{
    private readonly string table;
    private readonly string standing;

    /// <param name="table">The table that the row is in.</param>
    /// <param name="id">The row that was to be changed.</param>
    /// <param name="outcome">How it came out.</param>
    /// <param name="row">The row; null when there is none.</param>
    /// <param name="standing">What of the row refused, for the message: "is COMPLETED".</param>
    internal Transition(string table, Guid id, TransitionOutcome outcome, T? row = null, string standing = "") =>
        (this.table, Id, Outcome, Row, this.standing) = (table, id, outcome, row, standing);

    /// <summary>The row that was to be changed.</summary>
    public Guid Id { get; }

    /// <summary>How it came out.</summary>
    public TransitionOutcome Outcome { get; }

    /// <summary>The row after the change or, when it was refused, as it is: the latest committed row that the transaction's isolation lets it see. Null
    /// when there is no such row.</summary>
    public T? Row { get; }

    /// <summary>For a caller to whom only an applied change will do.</summary>
    /// <returns>The row after the change.</returns>
    /// <exception cref="TransitionRefusedException">It was refused.</exception>
    /// <exception cref="RowNotFoundException">There is no such row.</exception>
    public T EnsureApplied() => (Outcome, Row) switch
    {
        (TransitionOutcome.Applied, { } row) => row,
        (TransitionOutcome.Refused, _) => throw new TransitionRefusedException(table, Id, standing),
        _ => throw new RowNotFoundException(table, [Id]),
    };
}

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

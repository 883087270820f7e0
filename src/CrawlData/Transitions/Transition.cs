namespace CrawlData;

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

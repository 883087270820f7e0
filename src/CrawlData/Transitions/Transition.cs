namespace CrawlData;

/// <summary>The outcome of a change that the row's state must allow, such as a transition of its status, with the row's current state.</summary>
/// <typeparam name="T">The row's type: a crawl run, an audit session, or a page.</typeparam>
/// <example>
/// <code>
/// var transition = await runs.StartAsync(id);
/// if (transition.Outcome == TransitionOutcome.Refused)
/// {
///     Console.WriteLine($"Another worker was first: the run is {transition.Row!.Status}.");
/// }
/// </code>
/// </example>
public sealed class Transition<T> where T : class
{
    private readonly TransitionRule rule;
    private readonly string state;

    /// <param name="rule">The change.</param>
    /// <param name="id">The row's id.</param>
    /// <param name="outcome">The outcome.</param>
    /// <param name="row">The row; null when there is none.</param>
    /// <param name="state">The row's state, for the message of a refusal: "COMPLETED".</param>
    internal Transition(TransitionRule rule, Guid id, TransitionOutcome outcome, T? row = null, string state = "") =>
        (this.rule, Id, Outcome, Row, this.state) = (rule, id, outcome, row, state);

    /// <summary>The row's id.</summary>
    public Guid Id { get; }

    /// <summary>The outcome.</summary>
    public TransitionOutcome Outcome { get; }

    /// <summary>The row after the change. When the change was refused: the row as it is, in the latest committed state that the transaction's isolation level
    /// shows. Null when there is no such row.</summary>
    public T? Row { get; }

    /// <summary>Returns the row when the change was applied, and throws otherwise.</summary>
    /// <returns>The row after the change.</returns>
    /// <exception cref="TransitionRefusedException">The change was refused.</exception>
    /// <exception cref="RowNotFoundException">There is no such row.</exception>
    public T EnsureApplied() => (Outcome, Row) switch
    {
        (TransitionOutcome.Applied, { } row) => row,
        (TransitionOutcome.Refused, _) => throw new TransitionRefusedException(rule.Table, Id, rule.Name, rule.AllowedStatuses, state),
        _ => throw new RowNotFoundException(rule.Table, [Id]),
    };
}

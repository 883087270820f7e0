namespace CrawlData;

/// <summary>Thrown by <see cref="Transition{T}.EnsureApplied"/> when the row's status, or its attempt, did not allow the change. Nothing was changed.</summary>
public sealed class TransitionRefusedException : CrawlDataException
{
    internal TransitionRefusedException(string table, Guid id, string transition, IReadOnlyList<string> allowedStatuses, string state)
        : base($"{TableNoun.Capitalized(table)} {id} is {state}. The transition '{transition}' is allowed for: {string.Join(", ", allowedStatuses)}.")
    {
        Table = table;
        Id = id;
        Transition = transition;
        AllowedStatuses = allowedStatuses;
    }

    /// <summary>Gets the row's table.</summary>
    public string Table { get; }

    /// <summary>Gets the row's id.</summary>
    public Guid Id { get; }

    /// <summary>Gets the transition that was refused: a verb, such as <c>complete</c>.</summary>
    public string Transition { get; }

    /// <summary>Gets the statuses that allow the transition, by their labels in the database. An audit session must also be at the attempt that the caller
    /// gave.</summary>
    public IReadOnlyList<string> AllowedStatuses { get; }
}

namespace CrawlData;

/// <summary>Thrown by <see cref="Transition{T}.EnsureApplied"/> when the row's state did not allow the change. Nothing was changed.</summary>
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

    /// <summary>The row's table.</summary>
    public string Table { get; }

    /// <summary>The row's id.</summary>
    public Guid Id { get; }

    /// <summary>The transition that was refused: a verb, such as <c>complete</c>.</summary>
    public string Transition { get; }

    /// <summary>The statuses that allow the transition, by their labels in the database. An audit session must also be at the caller's attempt.</summary>
    public IReadOnlyList<string> AllowedStatuses { get; }
}

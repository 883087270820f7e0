namespace CrawlData;

/// <summary>The outcome of a change that the row's state must allow.</summary>
public enum TransitionOutcome
{
    /// <summary>The row was changed.</summary>
    Applied,

    /// <summary>The row exists, and its state does not allow the change. For example, another caller was first, or a session is at another attempt.</summary>
    Refused,

    /// <summary>There is no such row.</summary>
    NotFound,
}

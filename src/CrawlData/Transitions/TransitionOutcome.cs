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

namespace CrawlData.Crawls;

/// <summary>How a transition of a run's status came out.</summary>
public enum CrawlTransitionOutcome
{
    /// <summary>The run went to the new status.</summary>
    Applied,

    /// <summary>The run is there, but its status does not allow the transition: somebody else was first, or it had ended before.</summary>
    Refused,

    /// <summary>There is no such run.</summary>
    NotFound,
}

/// <summary>The outcome of a transition, with the run as it is.</summary>
public sealed record CrawlTransition
{
    internal static readonly CrawlTransition NotFound = new() { Outcome = CrawlTransitionOutcome.NotFound };

    /// <summary>How it came out.</summary>
    public required CrawlTransitionOutcome Outcome { get; init; }

    /// <summary>The run after the transition or, when it was refused, as it is: the latest committed row, not the one that the caller may have seen. Null
    /// when there is no such run.</summary>
    public CrawlRun? Run { get; init; }
}

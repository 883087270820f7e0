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
    /// <summary>The run that was to go to another status.</summary>
    public required Guid CrawlId { get; init; }

    /// <summary>How it came out.</summary>
    public required CrawlTransitionOutcome Outcome { get; init; }

    /// <summary>The run after the transition or, when it was refused, as it is: the latest committed row that the transaction's isolation lets it see. Null
    /// when there is no such run.</summary>
    public CrawlRun? Run { get; init; }

    /// <summary>For a caller to whom only an applied transition will do.</summary>
    /// <returns>The run after the transition.</returns>
    /// <exception cref="CrawlTransitionRefusedException">It was refused.</exception>
    /// <exception cref="CrawlNotFoundException">There is no such run.</exception>
    public CrawlRun EnsureApplied() => (Outcome, Run) switch
    {
        (CrawlTransitionOutcome.Applied, { } run) => run,
        (CrawlTransitionOutcome.Refused, { } run) => throw new CrawlTransitionRefusedException(run),
        _ => throw new CrawlNotFoundException([CrawlId]),
    };
}

namespace CrawlData.Crawls;

/// <summary>A run's place in a chain of retries. Each retry is a run of its own.</summary>
public sealed record CrawlRunAttempt
{
    /// <summary>The run.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The number of the attempt: 1 for a run that retries none, and one more with each retry.</summary>
    public required int Number { get; init; }

    /// <summary>The run that this run retries, which may have been deleted since; null when it retries none.</summary>
    public Guid? RetryOf { get; init; }

    /// <summary>The run that retries this run; null when none does.</summary>
    public Guid? RetriedBy { get; init; }

    /// <summary>The time before which no claim takes the run, in UTC; null when there is none.</summary>
    public DateTimeOffset? NotBefore { get; init; }
}

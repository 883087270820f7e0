namespace CrawlData.Crawls;

/// <summary>A row of <c>crawl_runs</c>: one exploration of an app. All times are in UTC (offset zero), to the microsecond.</summary>
public sealed record CrawlRun
{
    /// <summary>The run's id. It is also the crawl's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The run's status.</summary>
    public required CrawlStatus Status { get; init; }

    /// <summary>The package name of the app that is crawled, such as <c>org.example.app</c>.</summary>
    public required string AppPackage { get; init; }

    /// <summary>The device that the crawl runs on, as JSON in the crawler's format; null when none was given.</summary>
    public Jsonb? DeviceConfig { get; init; }

    /// <summary>The most steps that the crawler may take. The library does not enforce it.</summary>
    public required int MaxSteps { get; init; }

    /// <summary>The goal of the crawl, in words; null when none was given.</summary>
    public string? Goal { get; init; }

    /// <summary>The time at which the run was created.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The time at which the run became RUNNING; null when it has not.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>The time at which the run became COMPLETED or FAILED; null when it has not.</summary>
    public DateTimeOffset? CompletedAt { get; init; }

    /// <summary>The time at which the run became CANCELLED; null when it has not.</summary>
    public DateTimeOffset? CancelledAt { get; init; }

    /// <summary>The reason why the run FAILED; null when there is none.</summary>
    public string? ErrorMessage { get; init; }
}

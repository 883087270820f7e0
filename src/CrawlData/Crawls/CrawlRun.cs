namespace CrawlData.Crawls;

/// <summary>A row of <c>crawl_runs</c>: one exploration of an app. All times are UTC (offset zero), in microseconds.</summary>
public sealed record CrawlRun
{
    /// <summary>The run's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>Where the run stands.</summary>
    public required CrawlStatus Status { get; init; }

    /// <summary>The app that is crawled, by its package name.</summary>
    public required string AppPackage { get; init; }

    /// <summary>The device that it runs on, as the crawler describes it.</summary>
    public Jsonb? DeviceConfig { get; init; }

    /// <summary>The most steps that the crawler may take.</summary>
    public required int MaxSteps { get; init; }

    /// <summary>What the crawler is after, in words.</summary>
    public string? Goal { get; init; }

    /// <summary>When the row was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the run became RUNNING.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the run became COMPLETED or FAILED.</summary>
    public DateTimeOffset? CompletedAt { get; init; }

    /// <summary>When the run became CANCELLED.</summary>
    public DateTimeOffset? CancelledAt { get; init; }

    /// <summary>Why the run FAILED.</summary>
    public string? ErrorMessage { get; init; }
}

using CrawlData.Storage;
namespace CrawlData.Crawls;

/// <summary>A crawl run to be created. Only the app package must be given; the status and the times are for runs that happened elsewhere, such as an
/// import.</summary>
/// <remarks>Each property is checked where it is set and throws <see cref="InvalidValueException"/>, which names the column and the limit. Times may have any
/// offset; they are kept in UTC, cut to microseconds, and may be neither <see cref="DateTimeOffset.MinValue"/> nor <see
/// cref="DateTimeOffset.MaxValue"/>.</remarks>
public sealed record NewCrawlRun
{
    /// <summary>The run's id; a new UUID version 7, whose order is that of creation, when null.</summary>
    public Guid? Id { get; init; }

    /// <summary>The app that is crawled, by its package name: 1 to 255 characters (Unicode code points).</summary>
    public required string AppPackage { get; init => field = CrawledText.Require(value, "app_package", 255); }

    /// <summary>The device that it runs on, as the crawler describes it.</summary>
    public Jsonb? DeviceConfig { get; init; }

    /// <summary>The most steps that the crawler may take, at least 1; 100 unless set.</summary>
    public int MaxSteps
    {
        get;
        init => field = value >= 1 ? value : throw new InvalidValueException("max_steps", $"is {value}; the least is 1");
    } = 100;

    /// <summary>What the crawler is after, in words.</summary>
    public string? Goal { get; init => field = value is null ? null : CrawledText.Require(value, "goal"); }

    /// <summary>Where the run stands; PENDING unless set.</summary>
    public CrawlStatus Status { get; init => field = EnumLabels.Require(value, "status"); }

    /// <summary>When the run was made; the database's clock when null.</summary>
    public DateTimeOffset? CreatedAt { get; init => field = Timestamps.Require(value, "created_at"); }

    /// <summary>When it became RUNNING.</summary>
    public DateTimeOffset? StartedAt { get; init => field = Timestamps.Require(value, "started_at"); }

    /// <summary>When it became COMPLETED or FAILED.</summary>
    public DateTimeOffset? CompletedAt { get; init => field = Timestamps.Require(value, "completed_at"); }

    /// <summary>When it became CANCELLED.</summary>
    public DateTimeOffset? CancelledAt { get; init => field = Timestamps.Require(value, "cancelled_at"); }

    /// <summary>Why it FAILED.</summary>
    public string? ErrorMessage { get; init => field = value is null ? null : CrawledText.Require(value, "error_message"); }
}

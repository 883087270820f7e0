using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>A crawl run to insert. Only <see cref="AppPackage"/> is required. The status and the times are for runs that were made elsewhere, as in an
/// import.</summary>
/// <remarks>Each property is checked when it is set. A time may have any offset. It is stored in UTC and truncated to microseconds.</remarks>
/// <example>
/// <code>
/// var run = new NewCrawlRun
/// {
///     AppPackage = "org.example.app",
///     DeviceConfig = Jsonb.From(new { model = "Pixel 8", android = 15 }),
///     MaxSteps = 50,
///     Goal = "Visit every screen once",
/// };
/// </code>
/// </example>
public sealed record NewCrawlRun
{
    /// <summary>The run's id.</summary>
    /// <value>The default is null: the library makes a new UUID version 7.</value>
    public Guid? Id { get; init; }

    /// <summary>The package name of the app that is crawled: 1 to 255 characters. PostgreSQL counts a character as one Unicode code point.</summary>
    /// <exception cref="InvalidValueException">The value is empty, is too long, or holds U+0000 or a lone surrogate.</exception>
    public required string AppPackage { get; init => field = CrawledText.Require(value, "app_package", 255); }

    /// <summary>The device that the crawl runs on, as JSON in the crawler's format.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value is larger than 32 MiB. Only a value that another writer stored can be.</exception>
    public Jsonb? DeviceConfig
    {
        get;
        init => field = value is { } given ? JsonbValidator.RequireSize(given, "device_config") : null;
    }

    /// <summary>The most steps that the crawler may take. The library stores it, and does not enforce it.</summary>
    /// <value>The default is 100; the least is 1.</value>
    /// <exception cref="InvalidValueException">The value is less than 1.</exception>
    public int MaxSteps
    {
        get;
        init => field = value >= 1 ? value : throw new InvalidValueException("max_steps", $"is {value}; the least is 1");
    } = 100;

    /// <summary>The goal of the crawl, in words, of any length.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? Goal { get; init => field = value is null ? null : CrawledText.Require(value, "goal"); }

    /// <summary>The run's status.</summary>
    /// <value>The default is <see cref="CrawlStatus.Pending"/>.</value>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public CrawlStatus Status { get; init => field = EnumLabels.Require(value, "status"); }

    /// <summary>The time at which the run was created.</summary>
    /// <value>The default is null: the database's clock when the run is inserted.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedAt { get => CreatedInstant?.ToDateTimeOffset(); init => CreatedInstant = Timestamps.ToInstant(value, "created_at"); }

    /// <summary>The time at which the run became RUNNING.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? StartedAt { get => StartedInstant?.ToDateTimeOffset(); init => StartedInstant = Timestamps.ToInstant(value, "started_at"); }

    /// <summary>The time at which the run became COMPLETED or FAILED.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CompletedAt { get => CompletedInstant?.ToDateTimeOffset(); init => CompletedInstant = Timestamps.ToInstant(value, "completed_at"); }

    /// <summary>The time at which the run became CANCELLED.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CancelledAt { get => CancelledInstant?.ToDateTimeOffset(); init => CancelledInstant = Timestamps.ToInstant(value, "cancelled_at"); }

    /// <summary>The reason why the run FAILED. Pass text from a crawled page through <see cref="CrawledText.Repair"/> first.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? ErrorMessage { get; init => field = value is null ? null : CrawledText.Require(value, "error_message"); }

    /// <summary>As <see cref="CreatedAt"/>. An import may set a time that <see cref="DateTimeOffset"/> cannot hold.</summary>
    internal Instant? CreatedInstant { get; init; }

    /// <summary>As <see cref="StartedAt"/>. An import may set a time that <see cref="DateTimeOffset"/> cannot hold.</summary>
    internal Instant? StartedInstant { get; init; }

    /// <summary>As <see cref="CompletedAt"/>. An import may set a time that <see cref="DateTimeOffset"/> cannot hold.</summary>
    internal Instant? CompletedInstant { get; init; }

    /// <summary>As <see cref="CancelledAt"/>. An import may set a time that <see cref="DateTimeOffset"/> cannot hold.</summary>
    internal Instant? CancelledInstant { get; init; }
}

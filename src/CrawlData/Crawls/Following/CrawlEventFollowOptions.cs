namespace CrawlData.Crawls;

/// <summary>How <see cref="CrawlEventRepository.FollowAsync"/> and <see cref="CrawlEventRepository.FollowAllAsync"/> wait for events.</summary>
public sealed record CrawlEventFollowOptions
{
    internal static readonly CrawlEventFollowOptions Default = new();

    /// <summary>The longest pause between two reads while nothing comes; 250 ms unless set. Pauses begin at 10 ms and double, so an event is delivered within this
    /// time of its commit, and the time of a read.</summary>
    /// <exception cref="InvalidValueException">The value is less than a millisecond or more than an hour.</exception>
    public TimeSpan PollInterval
    {
        get;
        init => field = Durations.Require(value, "poll_interval", TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
    } = TimeSpan.FromMilliseconds(250);

    /// <summary>The pause after something came; tests that mean to see no polling set it long.</summary>
    internal TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Whether to listen for the notifications of repositories that notify, and read at once when one comes. Off unless set. It changes when events are
    /// read and not which: notifications may be lost, and reads at <see cref="PollInterval"/> go on.</summary>
    /// <remarks>All who follow over one data source share one connection, which is held for as long as one of them listens. Through PgBouncer in transaction mode no
    /// notification comes; on a data source that multiplexes, listening is refused.</remarks>
    public bool Listen { get; init; }

    /// <summary>The most events that are read, and held, at a time; 1,000 unless set.</summary>
    /// <exception cref="InvalidValueException">The value is less than 1.</exception>
    public int PageSize { get; init => field = value >= 1 ? value : throw new InvalidValueException("page_size", $"is {value}; the least is 1"); } = 1_000;
}

namespace CrawlData.Crawls;

/// <summary>How <see cref="CrawlEventRepository.FollowAsync"/> and <see cref="CrawlEventRepository.FollowAllAsync"/> wait for events.</summary>
public sealed record CrawlEventFollowOptions
{
    internal static readonly CrawlEventFollowOptions Default = new();

    /// <summary>The longest pause between two reads while no event arrives. The first pause is 10 ms, and each is twice the last. An event is delivered within
    /// this time of its commit, plus the time of a read. A read may come up to half a pause early, to share a statement with other followers.</summary>
    /// <value>The default is 250 ms. The range is 1 ms to 1 hour.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan PollInterval
    {
        get;
        init => field = ArgumentRange.Require(value, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), nameof(PollInterval));
    } = TimeSpan.FromMilliseconds(250);

    /// <summary>Whether to listen for notifications, and to read at once when one arrives. A repository that was made with <c>notify: true</c>
    /// sends them.</summary>
    /// <value>The default is false.</value>
    /// <remarks>A notification is a hint: it changes when events are read, but not which events. It may get lost, so the follower also polls at
    /// <see cref="PollInterval"/>. All listening followers over one data source share one connection. Through PgBouncer in transaction mode no notification
    /// arrives. Where listening would take the pool's last connection, as in a pool of one, followers only poll. A data source that multiplexes is
    /// refused.</remarks>
    public bool Listen { get; init; }

    /// <summary>The most events in one read. A follower holds them in memory. A read also ends once it holds 16 MiB of payloads. Only followers with the same
    /// size share reads.</summary>
    /// <value>The default is 1,000; the least is 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int PageSize { get; init => field = ArgumentRange.RequireAtLeastOne(value, nameof(PageSize)); } = 1_000;
}

namespace CrawlData.Schema;

/// <summary>Options of <see cref="EventPartitioner"/>: how large partitions are, and how many are made ahead.</summary>
public sealed class EventPartitionerOptions
{
    /// <summary>The width of a partition when none is chosen: 10,000,000 ids.</summary>
    public const long DefaultWidth = 10_000_000;

    /// <summary>The number of partitions ahead when none is chosen: 4.</summary>
    public const int DefaultAhead = 4;

    /// <summary>Gets or sets the number of ids of each new partition.</summary>
    /// <value>The default is null: as many as the newest partition has, and <see cref="DefaultWidth"/> for the first. The range is 1,000 to
    /// 1,000,000,000,000.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public long? Width
    {
        get;
        set => field = value is { } width ? ArgumentRange.Require(width, 1_000, 1_000_000_000_000, nameof(Width)) : null;
    }

    /// <summary>Gets or sets how many partitions are ready beyond the one that new events go to. <see cref="Diagnostics.DatabaseDoctor"/> reports fewer than
    /// two.</summary>
    /// <value>The default is <see cref="DefaultAhead"/>. The range is 2 to 1,000.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int Ahead { get; set => field = ArgumentRange.Require(value, 2, 1_000, nameof(Ahead)); } = DefaultAhead;

    /// <summary>Gets or sets how long a step that needs a lock is tried. Each attempt waits for the lock for at most 300 ms, and lets all others pass between
    /// two attempts.</summary>
    /// <value>The default is 10 minutes. The range is 0 to 365 days, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan LockPatience
    {
        get;
        set => field = value == Timeout.InfiniteTimeSpan ? value : ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromDays(365), nameof(LockPatience));
    } = TimeSpan.FromMinutes(10);

    /// <summary>Gets or sets how many ids lie between the newest id and the first partition, so that no append reaches the bound while it is checked.</summary>
    internal long Margin { get; set; } = 1_000_000_000;
}

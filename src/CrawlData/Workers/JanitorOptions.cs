namespace CrawlData.Workers;

/// <summary>How often the janitor works, and how old the rows are that it purges, and how many partitions it keeps ready.</summary>
public sealed class JanitorOptions
{
    /// <summary>The pause between two rounds. The first round begins within a minute of the start.</summary>
    /// <value>The default is 1 hour. The range is 1 second to 36,500 days.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan Interval
    {
        get;
        set => field = ArgumentRange.Require(value, TimeSpan.FromSeconds(1), ArgumentRange.LongestDuration, nameof(Interval));
    } = TimeSpan.FromHours(1);

    /// <summary>The age at which rows of deleted artifacts are purged.</summary>
    /// <value>The default is null: they are kept. The range is 0 to 36,500 days.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan? PurgeArtifactsAfter { get; set => field = RequireAge(value, nameof(PurgeArtifactsAfter)); }

    /// <summary>The age at which ended sessions without stored artifacts are purged.</summary>
    /// <value>The default is null: they are kept. The range is 0 to 36,500 days.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan? PurgeSessionsAfter { get; set => field = RequireAge(value, nameof(PurgeSessionsAfter)); }

    /// <summary>The age at which ended crawls are purged.</summary>
    /// <value>The default is null: they are kept. The range is 0 to 36,500 days.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan? PurgeCrawlsAfter { get; set => field = RequireAge(value, nameof(PurgeCrawlsAfter)); }

    /// <summary>The number of partitions of events that each round makes ready beyond the one that new events go to, where
    /// <see cref="Schema.EventPartitioner"/> has partitioned them. It does not partition the table itself. The role must own the tables.</summary>
    /// <value>The default is <see cref="Schema.EventPartitionerOptions.DefaultAhead"/>. The range is 2 to 1,000.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int PartitionsAhead
    {
        get;
        set => field = ArgumentRange.Require(value, 2, 1_000, nameof(PartitionsAhead));
    } = Schema.EventPartitionerOptions.DefaultAhead;

    private static TimeSpan? RequireAge(TimeSpan? age, string name) =>
        age is { } value ? ArgumentRange.Require(value, TimeSpan.Zero, ArgumentRange.LongestDuration, name) : null;
}

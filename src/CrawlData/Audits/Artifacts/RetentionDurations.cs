namespace CrawlData.Audits;

/// <summary>How long artifacts are kept, by their session's retention policy. It is applied when an artifact is inserted: a later change leaves stored
/// artifacts as they are.</summary>
/// <remarks>Each duration is above zero and at most 36,500 days. Otherwise the setter throws <see cref="ArgumentOutOfRangeException"/>.</remarks>
public sealed class RetentionDurations
{
    /// <summary>The duration for <see cref="RetentionPolicy.Standard"/>.</summary>
    /// <value>The default is 90 days.</value>
    public TimeSpan Standard { get; set => field = Require(value, nameof(Standard)); } = TimeSpan.FromDays(90);

    /// <summary>The duration for <see cref="RetentionPolicy.Short"/>.</summary>
    /// <value>The default is 14 days.</value>
    public TimeSpan Short { get; set => field = Require(value, nameof(Short)); } = TimeSpan.FromDays(14);

    /// <summary>The duration for <see cref="RetentionPolicy.Long"/>.</summary>
    /// <value>The default is 365 days.</value>
    public TimeSpan Long { get; set => field = Require(value, nameof(Long)); } = TimeSpan.FromDays(365);

    private static TimeSpan Require(TimeSpan value, string name) =>
        ArgumentRange.Require(value, ArgumentRange.ShortestDuration, ArgumentRange.LongestDuration, name);
}

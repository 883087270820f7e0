namespace CrawlData.Audits;

/// <summary>How long artifacts are kept, by their session's retention policy. It counts when an artifact is inserted: later changes leave what is
/// stored.</summary>
/// <remarks>Each is above zero and at most 36,500 days; otherwise <see cref="InvalidValueException"/> is thrown where it is set.</remarks>
public sealed class RetentionDurations
{
    /// <summary>Of <see cref="RetentionPolicy.Standard"/>; 90 days unless set.</summary>
    public TimeSpan Standard { get; set => field = Require(value, "standard"); } = TimeSpan.FromDays(90);

    /// <summary>Of <see cref="RetentionPolicy.Short"/>; 14 days unless set.</summary>
    public TimeSpan Short { get; set => field = Require(value, "short"); } = TimeSpan.FromDays(14);

    /// <summary>Of <see cref="RetentionPolicy.Long"/>; 365 days unless set.</summary>
    public TimeSpan Long { get; set => field = Require(value, "long"); } = TimeSpan.FromDays(365);

    private static TimeSpan Require(TimeSpan value, string field) => Durations.Require(value, field, Durations.Least, Durations.Most);
}

namespace CrawlData.Schema;

/// <summary>How long a <see cref="SchemaMigrator"/> waits.</summary>
public sealed class SchemaMigratorOptions
{
    /// <summary>The longest wait for another instance that is migrating. Make it longer than the longest script takes on your data: a short one makes a fleet
    /// restart in circles.</summary>
    /// <value>The default is 10 minutes. The range is 0 to 365 days, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan LockTimeout { get; set => field = Require(value, nameof(LockTimeout)); } = TimeSpan.FromMinutes(10);

    /// <summary>The longest that one script may run, in whole seconds.</summary>
    /// <value>The default is <see cref="Timeout.InfiniteTimeSpan"/>, no limit: building an index takes as long as the table is large. The range is 0 to
    /// 365 days.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan ScriptTimeout { get; set => field = Require(value, nameof(ScriptTimeout)); } = Timeout.InfiniteTimeSpan;

    private static TimeSpan Require(TimeSpan value, string name) =>
        value == Timeout.InfiniteTimeSpan ? value : ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromDays(365), name);
}

namespace CrawlData.Schema;

/// <summary>Options of <see cref="SchemaMigrator"/>: how long it waits.</summary>
public sealed class SchemaMigratorOptions
{
    /// <summary>Gets or sets the longest wait for another instance that migrates. It should be longer than the longest script takes on your data. Otherwise the
    /// waiting instances fail at start-up, and are restarted in a loop.</summary>
    /// <value>The default is 10 minutes. The range is 0 to 365 days, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan LockTimeout { get; set => field = Require(value, nameof(LockTimeout)); } = TimeSpan.FromMinutes(10);

    /// <summary>Gets or sets the longest time that one script may run. It is cut to whole seconds, and is at least 1 second.</summary>
    /// <value>The default is <see cref="Timeout.InfiniteTimeSpan"/>, no limit: an index on a large table takes long to build. The range is 0 to 365
    /// days.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan ScriptTimeout { get; set => field = Require(value, nameof(ScriptTimeout)); } = Timeout.InfiniteTimeSpan;

    private static TimeSpan Require(TimeSpan value, string name) =>
        value == Timeout.InfiniteTimeSpan ? value : ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromDays(365), name);
}

namespace CrawlData.Schema;

/// <summary>How long a <see cref="SchemaMigrator"/> waits.</summary>
public sealed class SchemaMigratorOptions
{
    /// <summary>The longest wait for another instance that is migrating; 10 minutes unless set, <see cref="Timeout.InfiniteTimeSpan"/> for no limit. Make it
    /// longer than the longest script takes on your data: a short one makes a fleet restart in circles.</summary>
    /// <exception cref="InvalidValueException">The value is negative, or more than a year.</exception>
    public TimeSpan LockTimeout { get; set => field = Require(value, "lock_timeout"); } = TimeSpan.FromMinutes(10);

    /// <summary>The longest that one script may take, to the second; no limit unless set, since building an index takes as long as the table is
    /// large.</summary>
    /// <exception cref="InvalidValueException">The value is negative, or more than a year.</exception>
    public TimeSpan ScriptTimeout { get; set => field = Require(value, "script_timeout"); } = Timeout.InfiniteTimeSpan;

    private static TimeSpan Require(TimeSpan value, string field) =>
        value == Timeout.InfiniteTimeSpan ? value : Durations.Require(value, field, TimeSpan.Zero, TimeSpan.FromDays(365));
}

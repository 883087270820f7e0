namespace CrawlData.Diagnostics;

/// <summary>What <see cref="DatabaseDoctor.CheckAllAsync"/> finds too long and too much.</summary>
public sealed record DatabaseDoctorOptions
{
    internal static readonly DatabaseDoctorOptions Default = new();

    /// <summary>Gets the time without a sign of life after which a running run or session is found. From 1 µs to 36,500 days.</summary>
    /// <value>The default is 1 hour.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan SilentFor
    {
        get;
        init => field = ArgumentRange.Require(value, ArgumentRange.ShortestDuration, ArgumentRange.LongestDuration, nameof(SilentFor));
    } = TimeSpan.FromHours(1);

    /// <summary>Gets the bytes of WAL that a standby may be behind, and that a replication slot may hold back. 0 or more.</summary>
    /// <value>The default is 268,435,456 (256 MiB).</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long MaxWalBytes
    {
        get;
        init => field = ArgumentRange.Require(value, 0, long.MaxValue, nameof(MaxWalBytes));
    } = 268_435_456;
}

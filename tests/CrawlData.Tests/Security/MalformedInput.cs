namespace CrawlData.Tests.Security;

/// <summary>Values of the simple types at their limits and beyond those of the library.</summary>
internal static class MalformedInput
{
    public static readonly DateTimeOffset[] Times =
    [
        default, DateTimeOffset.MinValue, DateTimeOffset.MaxValue, DateTimeOffset.MinValue.AddTicks(1), DateTimeOffset.MinValue.AddTicks(10),
        DateTimeOffset.MaxValue.AddTicks(-1), DateTimeOffset.MaxValue.AddTicks(-10),
        new(1, 1, 1, 14, 0, 0, TimeSpan.FromHours(14)), new(9999, 12, 31, 9, 59, 59, TimeSpan.FromHours(-14)),
        new(2026, 11, 23, 8, 0, 0, TimeSpan.FromHours(14)), new(1582, 10, 10, 0, 0, 0, TimeSpan.Zero),
        new DateTimeOffset(2026, 11, 23, 8, 30, 0, new TimeSpan(5, 45, 0)).AddTicks(1_234_567), new(9899, 12, 31, 23, 59, 59, TimeSpan.Zero),
        new(9900, 1, 1, 0, 0, 0, TimeSpan.Zero),
    ];

    public static readonly TimeSpan[] Durations =
    [
        TimeSpan.Zero, TimeSpan.FromTicks(-1), TimeSpan.FromTicks(1), TimeSpan.FromMicroseconds(1), TimeSpan.MinValue, TimeSpan.MaxValue,
        Timeout.InfiniteTimeSpan, TimeSpan.FromMilliseconds(1.5),
        TimeSpan.FromMinutes(1), TimeSpan.FromHours(1), TimeSpan.FromDays(1), TimeSpan.FromDays(25), TimeSpan.FromDays(36_500), TimeSpan.FromDays(36_501),
        TimeSpan.FromMilliseconds(int.MaxValue), TimeSpan.FromMilliseconds(uint.MaxValue),
    ];

    public static readonly int[] Ints = [0, -1, 1, 1_000, 1_001, int.MinValue, int.MaxValue - 1, int.MaxValue];

    public static readonly long[] Longs = [0, -1, 1, int.MaxValue + 1L, long.MinValue, long.MaxValue - 1, long.MaxValue];

    /// <summary>Ids of no row.</summary>
    public static readonly Guid[] Ids = [Guid.Empty, Guid.AllBitsSet, new("11111111-2222-3333-4444-555555555555")];

    /// <summary>With the connection string <c>Host=</c> of a megabyte, which Npgsql takes.</summary>
    public static readonly string[] AcceptedConnectionStrings =
        ["Host=localhost", "Host=localhost;Port=99999", "Host=localhost;SSL Mode=99", $"Host={new string('m', 1 << 20)}"];

    public static readonly string[] RefusedConnectionStrings =
    [
        .. MalformedText.NotStorable.Concat(MalformedText.Storable).Where(text => text.Length < 1_000),
        "Host=localhost;Minimum Pool Size=2;Maximum Pool Size=1", "Host=localhost;Port=-1", "Host=localhost;Timeout=-1",
        "Host=a,b;Multiplexing=true;Pooling=false", "Host=localhost;Host=", "postgresql://me:secret@localhost/crawls", "Host=",
    ];

    /// <summary>Whether PostgreSQL would store a time as an infinite one: its microseconds are those of the first moment, or it is the last tick.</summary>
    public static bool IsInfinite(DateTimeOffset time) => time == DateTimeOffset.MaxValue || time.UtcTicks < TimeSpan.TicksPerMicrosecond;

    /// <summary>Values that an enum does not define.</summary>
    public static IEnumerable<T> Undefined<T>() where T : struct, Enum => new[] { 99, -1, int.MinValue }.Select(value => (T)Enum.ToObject(typeof(T), value));
}

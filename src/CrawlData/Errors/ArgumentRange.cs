using System.Runtime.CompilerServices;

namespace CrawlData;

/// <summary>Checks arguments and options that have a range.</summary>
internal static class ArgumentRange
{
    /// <summary>The shortest duration that PostgreSQL distinguishes from zero: 1 µs.</summary>
    public static readonly TimeSpan ShortestDuration = TimeSpan.FromMicroseconds(1);

    /// <summary>A hundred years. Counted from now, it lies within the dates of both PostgreSQL and .NET.</summary>
    public static readonly TimeSpan LongestDuration = TimeSpan.FromDays(36_500);

    /// <summary>Checks a value that has a least and a greatest value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public static T Require<T>(T value, T least, T most, [CallerArgumentExpression(nameof(value))] string? name = null) where T : IComparable<T> =>
        value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0
            ? value
            : throw new ArgumentOutOfRangeException(name, value, $"The range is {least} to {most}.");

    /// <summary>Checks a value that must be positive.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public static int RequireAtLeastOne(int value, [CallerArgumentExpression(nameof(value))] string? name = null) =>
        value >= 1 ? value : throw new ArgumentOutOfRangeException(name, value, "The value must be 1 or more.");
}

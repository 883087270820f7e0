using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace CrawlData.Storage;

/// <summary>A time as PostgreSQL stores it. It is sent and read as its microseconds, because Npgsql's own conversions depend on process-wide switches, and
/// turn some years after 9999 into other times. It also holds what <see cref="DateTimeOffset"/> cannot: infinity, and years outside 1 to 9999.</summary>
/// <param name="Microseconds">The microseconds since 2000-01-01 in UTC.</param>
internal readonly partial record struct Instant(long Microseconds) : IUtf8SpanFormattable
{
    public static readonly Instant NegativeInfinity = new(long.MinValue);

    public static readonly Instant Infinity = new(long.MaxValue);

    private static readonly DateTime Epoch = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    // The calendar repeats after 400 years.
    private static readonly long CycleMicroseconds = 146_097 * TimeSpan.MicrosecondsPerDay;

    // 2026-11-23T00:18:58.819Z, and with microseconds.
    private const int MillisecondsLength = 24;
    private const int MicrosecondsLength = 27;

    // 4714-11-24 BC to 294276-12-31.
    private const long FirstMicroseconds = -211_813_488_000_000_000;
    private const long LastMicroseconds = 9_223_371_331_199_999_999;

    /// <summary>Whether PostgreSQL has this time.</summary>
    public bool IsValid => IsInfinite || Microseconds is >= FirstMicroseconds and <= LastMicroseconds;

    /// <summary>Whether <see cref="DateTimeOffset"/> can hold this time.</summary>
    public bool IsReadable => Microseconds >= From(DateTimeOffset.MinValue).Microseconds && Microseconds <= From(DateTimeOffset.MaxValue).Microseconds;

    private bool IsInfinite => this == Infinity || this == NegativeInfinity;

    /// <summary>Converts a time, and cuts it to microseconds.</summary>
    public static Instant From(DateTimeOffset time) =>
        new((time.UtcTicks / TimeSpan.TicksPerMicrosecond) - (Epoch.Ticks / TimeSpan.TicksPerMicrosecond));

    /// <inheritdoc cref="From(DateTimeOffset)"/>
    public static Instant? From(DateTimeOffset? time) => time is { } given ? From(given) : null;

    /// <summary>Parses a text of <see cref="ToString"/> that <see cref="DateTimeOffset"/> cannot hold.</summary>
    public static bool TryParseUnreadable(string text, out Instant instant)
    {
        instant = text == "infinity" ? Infinity : NegativeInfinity;
        return text is "infinity" or "-infinity" || (Pattern().Match(text) is { Success: true } match && TryParse(match.Groups, out instant));
    }

    /// <summary>Converts to UTC.</summary>
    /// <exception cref="InvalidOperationException">The time is not readable.</exception>
    public DateTimeOffset ToDateTimeOffset() => IsReadable
        ? new(Epoch.AddTicks(Microseconds * TimeSpan.TicksPerMicrosecond))
        : throw new InvalidOperationException($"DateTimeOffset cannot hold {this}.");

    /// <summary>Returns the time in ISO 8601, with milliseconds, or with microseconds where it has them. PostgreSQL reads each of these texts, such as
    /// <c>2026-11-23T00:18:58.819Z</c>, <c>294276-12-31T23:59:59.999999Z</c>, <c>0044-03-15T12:00:00.000Z BC</c> and <c>-infinity</c>.</summary>
    public override string ToString()
    {
        if (IsInfinite)
        {
            return this == Infinity ? "infinity" : "-infinity";
        }

        var cycles = Math.DivRem(Microseconds, CycleMicroseconds, out var rest);
        (cycles, rest) = rest < 0 ? (cycles - 1, rest + CycleMicroseconds) : (cycles, rest);
        var inCycle = Epoch.AddTicks(rest * TimeSpan.TicksPerMicrosecond);
        var year = inCycle.Year + (400 * cycles);
        var format = rest % 1_000 == 0 ? "MM-dd'T'HH:mm:ss.fff'Z'" : "MM-dd'T'HH:mm:ss.ffffff'Z'";
        var date = inCycle.ToString(format, CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"{(year > 0 ? year : 1 - year):D4}-{date}{(year > 0 ? "" : " BC")}");
    }

    /// <summary>Writes the text of <see cref="ToString"/> in UTF-8. Other formats are ignored.</summary>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        if (!IsReadable)
        {
            return Encoding.UTF8.TryGetBytes(ToString(), utf8Destination, out bytesWritten);
        }

        // Ends with seven digits of a second and the Z.
        if (!ToDateTimeOffset().UtcDateTime.TryFormat(utf8Destination, out bytesWritten, "O", CultureInfo.InvariantCulture))
        {
            return false;
        }

        bytesWritten = Microseconds % 1_000 == 0 ? MillisecondsLength : MicrosecondsLength;
        utf8Destination[bytesWritten - 1] = (byte)'Z';
        return true;
    }

    private static bool TryParse(GroupCollection parts, out Instant instant)
    {
        var given = int.Parse(parts[1].ValueSpan, CultureInfo.InvariantCulture);
        var year = parts[3].Success ? 1 - given : given;
        var cycles = (long)Math.Floor((year - 2_000) / 400.0);
        var inCycle = string.Create(CultureInfo.InvariantCulture, $"{year - (400 * cycles):D4}-{parts[2].ValueSpan}");
        instant = default;
        if (given == 0 || !DateTimeOffset.TryParse(inCycle, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
        {
            return false;
        }

        var microseconds = (Int128)From(time).Microseconds + ((Int128)cycles * CycleMicroseconds);
        instant = new Instant((long)Int128.Clamp(microseconds, long.MinValue, long.MaxValue));
        return instant is { IsInfinite: false, IsValid: true };
    }

    [GeneratedRegex(@"^(\d{4,6})-(\d\d-\d\dT\d\d:\d\d:\d\d\.(?:\d{3}|\d{6})Z)( BC)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}

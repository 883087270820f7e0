using System.Buffers.Binary;
using System.Buffers.Text;
using CrawlData.Storage;

namespace CrawlData.Tests.Security;

/// <summary>Cursors of all kinds with times and ids at their limits, and text that is not a cursor.</summary>
internal static class MalformedCursor
{
    // In microseconds from the year 2000: infinity, the least and the greatest time of PostgreSQL, now, and values outside its times.
    private static readonly long[] Times =
        [long.MinValue, long.MaxValue, -211_813_488_000_000_000, 9_223_371_331_199_999_999, -1, 0, Instant.From(DateTimeOffset.UtcNow).Microseconds];

    private static readonly long[] NoTimes = [long.MinValue + 1, long.MaxValue - 1, -211_813_488_000_000_001, 9_223_371_331_200_000_000];

    public static readonly string[] All =
    [
        "AA", "====", Base64Url.EncodeToString(new byte[25]), Base64Url.EncodeToString(new byte[17]),
        .. Enum.GetValues<CursorKind>().SelectMany(kind => Times.Concat(NoTimes)
            .SelectMany(time => new[] { 8, 16, 24, 32 }.Select(idLength => Cursor(kind, time, idLength)))),
        Cursor(CursorKind.RunsNewestFirst, 0, 16) + "=", " " + Cursor(CursorKind.RunsNewestFirst, 0, 16), Cursor(CursorKind.RunsNewestFirst, 0, 17),
        Cursor(CursorKind.RunsNewestFirst, 0, 16)[..^1],
    ];

    /// <summary>Whether a cursor is of the kind, has the length of its ids, and lies within the times. Blanks around it do not count.</summary>
    public static bool IsAccepted(string cursor, CursorKind kind)
    {
        // A cursor of a parent's rows names the parent, which none of these does.
        int? idLength = kind switch
        {
            CursorKind.RunsNewestFirst or CursorKind.SessionsNewestFirst or CursorKind.ExpiredArtifacts or CursorKind.ExpiringArtifacts => 16,
            CursorKind.AllEvents => 8,
            _ => null,
        };
        return idLength is { } length && Times.Any(time => cursor.Trim() == Cursor(kind, time, length));
    }

    // A byte for the kind, the time, the id.
    private static string Cursor(CursorKind kind, long time, int idLength)
    {
        var bytes = new byte[1 + sizeof(long) + idLength];
        bytes[0] = (byte)kind;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(1), time);
        return Base64Url.EncodeToString(bytes);
    }
}

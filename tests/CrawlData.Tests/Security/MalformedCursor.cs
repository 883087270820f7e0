using System.Buffers.Binary;
using System.Buffers.Text;

namespace CrawlData.Tests.Security;

/// <summary>Cursors of all kinds with times and ids at their limits, and text that is not a cursor.</summary>
internal static class MalformedCursor
{
    private static readonly long Now = DateTime.UtcNow.Ticks;

    public static readonly string[] All =
    [
        "AA", "====", Base64Url.EncodeToString(new byte[25]), Base64Url.EncodeToString(new byte[17]),
        .. Enum.GetValues<CursorKind>().SelectMany(kind => new[] { -1, long.MinValue, long.MaxValue, 0, Now, DateTime.MaxValue.Ticks }
            .SelectMany(ticks => new[] { 8, 16, 24, 32 }.Select(idLength => Cursor(kind, ticks, idLength)))),
        Cursor(CursorKind.RunsNewestFirst, 0, 16) + "=", " " + Cursor(CursorKind.RunsNewestFirst, 0, 16), Cursor(CursorKind.RunsNewestFirst, 0, 17),
        Cursor(CursorKind.RunsNewestFirst, 0, 16)[..^1],
    ];

    /// <summary>Whether a cursor is of the kind, has the length of its ids, and lies within the times. Blanks around it do not count.</summary>
    public static bool IsAccepted(string cursor, CursorKind kind)
    {
        // A cursor of a parent's rows names the parent, which none of these does.
        int? idLength = kind switch
        {
            CursorKind.RunsNewestFirst or CursorKind.SessionsNewestFirst => 16,
            CursorKind.AllEvents => 8,
            _ => null,
        };
        return idLength is { } length && new[] { 0, Now, DateTime.MaxValue.Ticks }.Any(ticks => cursor.Trim() == Cursor(kind, ticks, length));
    }

    // A byte for the kind, the time, the id.
    private static string Cursor(CursorKind kind, long ticks, int idLength)
    {
        var bytes = new byte[1 + sizeof(long) + idLength];
        bytes[0] = (byte)kind;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(1), ticks);
        return Base64Url.EncodeToString(bytes);
    }
}

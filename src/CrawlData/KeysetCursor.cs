using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;

namespace CrawlData;

/// <summary>The place in a listing by (created_at, id) after which the next page starts.</summary>
internal readonly record struct KeysetCursor(DateTimeOffset CreatedAt, Guid Id)
{
    private const byte Version = 1;
    private const int Length = 1 + sizeof(long) + 16;

    public string Encode()
    {
        Span<byte> bytes = stackalloc byte[Length];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(bytes[1..], CreatedAt.UtcTicks);
        Id.TryWriteBytes(bytes[9..], bigEndian: true, out _);
        return Base64Url.EncodeToString(bytes);
    }

    /// <exception cref="InvalidValueException">The text is not a cursor.</exception>
    public static KeysetCursor Decode(string text)
    {
        Span<byte> bytes = stackalloc byte[Length];
        if (Base64Url.DecodeFromChars(text, bytes, out _, out var length) == OperationStatus.Done && length == Length)
        {
            var ticks = BinaryPrimitives.ReadInt64BigEndian(bytes[1..]);
            if (bytes[0] == Version && ticks >= 0 && ticks <= DateTime.MaxValue.Ticks)
            {
                return new KeysetCursor(new DateTimeOffset(ticks, TimeSpan.Zero), new Guid(bytes[9..], bigEndian: true));
            }
        }

        throw new InvalidValueException("cursor", "is not one that a listing returned");
    }
}

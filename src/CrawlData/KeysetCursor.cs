using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CrawlData;

/// <summary>The place in a listing by (time, id) after which the next page starts.</summary>
internal readonly record struct KeysetCursor<TId>(DateTimeOffset Time, TId Id) where TId : unmanaged
{
    private const byte Version = 1;
    private const int IdStart = 1 + sizeof(long);

    private static readonly int Length = IdStart + Unsafe.SizeOf<TId>();

    public string Encode()
    {
        Span<byte> bytes = stackalloc byte[Length];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(bytes[1..], Time.UtcTicks);
        MemoryMarshal.Write(bytes[IdStart..], Id);
        return Base64Url.EncodeToString(bytes);
    }

    /// <exception cref="InvalidValueException">The text is not a cursor.</exception>
    public static KeysetCursor<TId> Decode(string text)
    {
        Span<byte> bytes = stackalloc byte[Length];
        if (Base64Url.DecodeFromChars(text, bytes, out _, out var length) == OperationStatus.Done && length == Length)
        {
            var ticks = BinaryPrimitives.ReadInt64BigEndian(bytes[1..]);
            if (bytes[0] == Version && ticks >= 0 && ticks <= DateTime.MaxValue.Ticks)
            {
                return new KeysetCursor<TId>(new DateTimeOffset(ticks, TimeSpan.Zero), MemoryMarshal.Read<TId>(bytes[IdStart..]));
            }
        }

        throw new InvalidValueException("cursor", "is not one that a listing returned");
    }
}

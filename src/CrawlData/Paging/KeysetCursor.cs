using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CrawlData.Storage;

namespace CrawlData;

/// <summary>The key of the last row on a page of a listing by (time, id). The next page starts after it.</summary>
/// <param name="Time">The row's time; the default in a listing by id alone.</param>
/// <param name="Id">The row's id.</param>
internal readonly record struct KeysetCursor<TId>(Instant Time, TId Id) where TId : unmanaged
{
    private const int LongestScope = 1 + 16;

    private static readonly int KeyLength = sizeof(long) + Unsafe.SizeOf<TId>();

    /// <summary>Encodes the cursor as text. Only the same listing, of the same parent, accepts it.</summary>
    public string Encode(CursorKind kind, Guid? parentId = null)
    {
        Span<byte> bytes = stackalloc byte[LongestScope + KeyLength];
        var key = bytes[WriteScope(bytes, kind, parentId)..];
        BinaryPrimitives.WriteInt64BigEndian(key, Time.Microseconds);
        MemoryMarshal.Write(key[sizeof(long)..], Id);
        return Base64Url.EncodeToString(bytes[..^(key.Length - KeyLength)]);
    }

    /// <summary>Decodes a text that <see cref="Encode"/> made.</summary>
    /// <exception cref="InvalidValueException">The text is not a cursor of this listing.</exception>
    public static KeysetCursor<TId> Decode(string text, CursorKind kind, Guid? parentId = null)
    {
        Span<byte> scope = stackalloc byte[LongestScope];
        scope = scope[..WriteScope(scope, kind, parentId)];
        Span<byte> bytes = stackalloc byte[scope.Length + KeyLength];
        if (Base64Url.DecodeFromChars(text, bytes, out _, out var length) == OperationStatus.Done && length == bytes.Length && bytes.StartsWith(scope))
        {
            var key = bytes[scope.Length..];
            var time = new Instant(BinaryPrimitives.ReadInt64BigEndian(key));
            if (time.IsValid)
            {
                return new KeysetCursor<TId>(time, MemoryMarshal.Read<TId>(key[sizeof(long)..]));
            }
        }

        throw new InvalidValueException("cursor", "was not returned by this listing");
    }

    private static int WriteScope(Span<byte> bytes, CursorKind kind, Guid? parentId)
    {
        bytes[0] = (byte)kind;
        return parentId?.TryWriteBytes(bytes[1..]) is true ? LongestScope : 1;
    }
}

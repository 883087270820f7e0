using System.Buffers.Binary;

namespace CrawlData.Crawls;

/// <summary>One file of a spool, and how much in it is still needed.</summary>
/// <remarks>
/// <para>A file is a header and frames: <c>id (8 bytes), length (4), CRC-32C (4), records</c>. The header is <c>magic (8), number (8), id (8), CRC-32C (4),
/// 0 (4)</c>. The id is random for each file, and the checksum covers it. So content of an event cannot pass for a frame.</para>
/// <para>A frame is flushed to the disk before the next one is written. So only the last frame of the last file can be incomplete after a crash.</para>
/// </remarks>
/// <param name="path">The file.</param>
/// <param name="number">Its number. Numbers rise.</param>
/// <param name="id">Its id.</param>
internal sealed class SpoolSegment(string path, long number, ulong id)
{
    public const int HeaderBytes = 32;

    public const int FrameHeaderBytes = 16;

    // The last character is the version of the format.
    public static readonly byte[] Magic = "CDSPOOL1"u8.ToArray();

    public string Path => path;

    public long Number => number;

    public ulong Id => id;

    /// <summary>The number of its events that are neither stored nor taken.</summary>
    public int Live { get; set; }

    /// <summary>Makes the header of the file.</summary>
    public byte[] MakeHeader()
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header, 0);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), number);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(16), id);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(24), Crc32C.Compute(header.AsSpan(0, 24)));
        return header;
    }

    /// <summary>Fills in the header of a frame, whose records follow it.</summary>
    public void FillHeader(Span<byte> frame)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(frame, id);
        BinaryPrimitives.WriteInt32LittleEndian(frame[8..], frame.Length - FrameHeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[12..], Checksum(frame));
    }

    /// <summary>Gets the length of the frame at the begin of some bytes; null when there is no valid frame.</summary>
    public int? FrameLength(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < FrameHeaderBytes || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != id)
        {
            return null;
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        return length >= 0
            && length <= bytes.Length - FrameHeaderBytes
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]) == Checksum(bytes[..(FrameHeaderBytes + length)])
                ? FrameHeaderBytes + length
                : null;
    }

    private static uint Checksum(ReadOnlySpan<byte> frame) => Crc32C.Compute(frame[..12]) ^ uint.RotateLeft(Crc32C.Compute(frame[FrameHeaderBytes..]), 1);
}

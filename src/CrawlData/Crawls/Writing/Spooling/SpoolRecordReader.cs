using System.Buffers.Binary;
using System.Text;

namespace CrawlData.Crawls;

/// <summary>Decodes the records that <see cref="SpoolRecordWriter"/> encodes.</summary>
/// <param name="records">The records.</param>
/// <exception cref="FormatException">The bytes are no records of this version.</exception>
internal ref struct SpoolRecordReader(ReadOnlySpan<byte> records)
{
    private ReadOnlySpan<byte> rest = records;

    public readonly bool IsAtEnd => rest.IsEmpty;

    public SpoolRecordType ReadType() => (SpoolRecordType)ReadByte();

    public byte ReadByte() => Take(1)[0];

    public long ReadInt64() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));

    public Guid ReadGuid() => new(Take(16));

    public byte[] ReadBytes() => Take(ReadInt64()).ToArray();

    /// <summary>Reads a number of items.</summary>
    public int ReadCount() => ReadInt64() is >= 0 and var count && count <= rest.Length ? (int)count : throw new FormatException("a wrong number");

    public long ReadDifference()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var part = ReadByte();
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return (long)(value >> 1) ^ -(long)(value & 1);
            }
        }

        throw new FormatException("a number without an end");
    }

    public SpooledEvent ReadEvent(SpoolSegment? segment, bool isClaimed)
    {
        var claim = isClaimed ? (int)ReadInt64() : (int?)null;
        var (sequence, crawlId, ticks) = (ReadInt64(), ReadGuid(), ReadInt64());
        return new SpooledEvent
        {
            Sequence = sequence,
            CrawlId = crawlId,
            Claim = claim,
            Event = new NewCrawlEvent
            {
                EventType = Encoding.UTF8.GetString(Take(ReadInt64())),
                Payload = Jsonb.FromDatabase(ReadBytes()),
                CreatedAt = ticks == long.MinValue ? null : new DateTimeOffset(ticks, TimeSpan.Zero),
            },
            Segment = segment,
        };
    }

    private ReadOnlySpan<byte> Take(long bytes)
    {
        if (bytes < 0 || bytes > rest.Length)
        {
            throw new FormatException("a record without an end");
        }

        var taken = rest[..(int)bytes];
        rest = rest[(int)bytes..];
        return taken;
    }
}

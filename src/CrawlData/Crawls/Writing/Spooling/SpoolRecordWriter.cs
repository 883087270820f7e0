using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace CrawlData.Crawls;

/// <summary>Encodes the records of a spool. Numbers are little-endian.</summary>
internal sealed class SpoolRecordWriter
{
    // A frame may be as large as the largest event. The next one is small again.
    private const int LargestKept = 8 * 1024 * 1024;

    private ArrayBufferWriter<byte> buffer = new(64 * 1024);

    /// <summary>What was written. The header that was left out can be filled in.</summary>
    public Span<byte> Written => MemoryMarshal.AsMemory(buffer.WrittenMemory).Span;

    public int Length => buffer.WrittenCount;

    public void Clear()
    {
        if (buffer.Capacity > LargestKept)
        {
            buffer = new(64 * 1024);
        }
        else
        {
            buffer.ResetWrittenCount();
        }
    }

    /// <summary>Leaves room for a header.</summary>
    public void Skip(int bytes)
    {
        buffer.GetSpan(bytes)[..bytes].Clear();
        buffer.Advance(bytes);
    }

    public void WriteEvent(SpooledEvent one)
    {
        WriteByte((byte)(one.Claim is null ? SpoolRecordType.Event : SpoolRecordType.ClaimedEvent));
        if (one.Claim is { } claim)
        {
            WriteInt64(claim);
        }

        WriteInt64(one.Sequence);
        WriteGuid(one.CrawlId);
        WriteInt64(one.Event.CreatedAt?.UtcTicks ?? long.MinValue);
        WriteBytes(Encoding.UTF8.GetBytes(one.Event.EventType));
        WriteBytes(one.Event.Payload.Utf8.Span);
    }

    public void WriteIntent(SpooledBatch batch)
    {
        WriteByte((byte)SpoolRecordType.Intent);
        WriteInt64(batch.Id);
        WriteInt64((long)batch.Transaction.Id);
        WriteInt64(batch.Transaction.Start.Microseconds);
        WriteInt64(batch.Transaction.ServerStart.Microseconds);
        WriteInt64((long)(ulong)batch.Transaction.WalPosition);
        WriteInt64(batch.Transaction.BackendId);
        WriteInt64(batch.Cluster);
        WriteInt64(batch.FirstId);
        WriteGuid(batch.FirstParentId);
        WriteByte(batch.HasTransactionTime ? (byte)1 : (byte)0);
        WriteInt64(batch.Events.Count);
        var (sequence, id) = (0L, 0L);
        for (var index = 0; index < batch.Events.Count; index++)
        {
            WriteDifference(batch.Events[index].Sequence - sequence);
            WriteDifference(batch.RowIds[index] - id);
            (sequence, id) = (batch.Events[index].Sequence, batch.RowIds[index]);
        }
    }

    /// <summary>Writes that a batch is stored, or was rolled back.</summary>
    public void WriteOutcome(SpoolRecordType outcome, long batchId)
    {
        WriteByte((byte)outcome);
        WriteInt64(batchId);
    }

    public void WriteTaken(IReadOnlyCollection<SpooledEvent> taken)
    {
        WriteByte((byte)SpoolRecordType.Taken);
        WriteInt64(taken.Count);
        foreach (var one in taken)
        {
            WriteInt64(one.Sequence);
        }
    }

    private void WriteByte(byte value)
    {
        buffer.GetSpan(1)[0] = value;
        buffer.Advance(1);
    }

    private void WriteInt64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(buffer.GetSpan(sizeof(long)), value);
        buffer.Advance(sizeof(long));
    }

    private void WriteGuid(Guid value)
    {
        value.TryWriteBytes(buffer.GetSpan(16));
        buffer.Advance(16);
    }

    private void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteInt64(value.Length);
        buffer.Write(value);
    }

    // Differences of neighbours are small: seven bits a byte, the sign in the lowest bit.
    private void WriteDifference(long value)
    {
        var rest = (ulong)((value << 1) ^ (value >> 63));
        while (rest >= 0x80)
        {
            WriteByte((byte)(rest | 0x80));
            rest >>= 7;
        }

        WriteByte((byte)rest);
    }
}

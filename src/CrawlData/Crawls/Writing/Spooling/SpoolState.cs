using CrawlData.Storage;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>What the records of a spool add up to: the events that are neither stored nor taken, and the batches whose outcome is not in it.</summary>
internal sealed class SpoolState
{
    private readonly Dictionary<long, SpooledEvent> events = [];
    private readonly Dictionary<long, SpooledBatch> batches = [];

    /// <summary>The greatest sequence number of an event.</summary>
    public long LastSequence { get; private set; }

    /// <summary>The greatest id of a batch.</summary>
    public long LastBatchId { get; private set; }

    /// <summary>The events, in the order in which they were written.</summary>
    public IReadOnlyList<SpooledEvent> Events => [.. events.Values.OrderBy(one => one.Sequence)];

    /// <summary>The batches that have events yet, in the order of their transactions.</summary>
    public IReadOnlyList<SpooledBatch> Batches =>
        [.. batches.Values.Where(batch => batch.Events.Any(one => one.Segment is not null)).OrderBy(batch => batch.Id)];

    /// <summary>Applies the records of a frame.</summary>
    /// <exception cref="FormatException">The bytes are no records of this version.</exception>
    public void Apply(SpoolSegment segment, ReadOnlySpan<byte> records)
    {
        var reader = new SpoolRecordReader(records);
        while (!reader.IsAtEnd)
        {
            var type = reader.ReadType();
            switch (type)
            {
                case SpoolRecordType.Event or SpoolRecordType.ClaimedEvent:
                    Add(reader.ReadEvent(segment, isClaimed: type == SpoolRecordType.ClaimedEvent));
                    break;
                case SpoolRecordType.Intent:
                    AddBatch(ref reader);
                    break;
                case SpoolRecordType.Stored when batches.Remove(reader.ReadInt64(), out var stored):
                    stored.Events.ToList().ForEach(Remove);
                    break;
                case SpoolRecordType.RolledBack:
                    batches.Remove(reader.ReadInt64());
                    break;
                case SpoolRecordType.Taken:
                    for (var left = reader.ReadCount(); left > 0; left--)
                    {
                        if (events.TryGetValue(reader.ReadInt64(), out var taken))
                        {
                            Remove(taken);
                        }
                    }

                    break;
                case SpoolRecordType.Stored:
                    // Its intent was in a file that is deleted.
                    break;
                default:
                    throw new FormatException($"a record of the unknown type {(byte)type}");
            }
        }
    }

    // An event is written a second time when its file is cleaned up. The second copy counts.
    private void Add(SpooledEvent one)
    {
        if (events.TryGetValue(one.Sequence, out var other))
        {
            Move(other, one.Segment);
            return;
        }

        one.Segment!.Live++;
        events.Add(one.Sequence, one);
        LastSequence = Math.Max(LastSequence, one.Sequence);
    }

    private void AddBatch(ref SpoolRecordReader reader)
    {
        var id = reader.ReadInt64();
        var identity = new TransactionIdentity(
            (ulong)reader.ReadInt64(),
            new Instant(reader.ReadInt64()),
            new Instant(reader.ReadInt64()),
            new NpgsqlLogSequenceNumber((ulong)reader.ReadInt64()),
            (int)reader.ReadInt64(),
            HidesWarnings: false);
        var (cluster, firstId, firstParentId, hasTransactionTime) = (reader.ReadInt64(), reader.ReadInt64(), reader.ReadGuid(), reader.ReadByte() == 1);
        var (ofBatch, rowIds) = (new List<SpooledEvent>(), new List<long>());
        var (sequence, rowId) = (0L, 0L);
        for (var left = reader.ReadCount(); left > 0; left--)
        {
            sequence += reader.ReadDifference();
            rowId += reader.ReadDifference();
            if (events.TryGetValue(sequence, out var one))
            {
                ofBatch.Add(one);
                rowIds.Add(rowId);
            }
        }

        LastBatchId = Math.Max(LastBatchId, id);
        batches[id] = new SpooledBatch
        {
            Id = id,
            Events = ofBatch,
            RowIds = rowIds,
            Transaction = identity,
            Cluster = cluster,
            FirstId = firstId,
            FirstParentId = firstParentId,
            HasTransactionTime = hasTransactionTime,
        };
    }

    private void Remove(SpooledEvent one)
    {
        events.Remove(one.Sequence);
        Move(one, null);
    }

    private static void Move(SpooledEvent one, SpoolSegment? segment)
    {
        one.Segment?.Live -= 1;
        one.Segment = segment;
        segment?.Live += 1;
    }
}

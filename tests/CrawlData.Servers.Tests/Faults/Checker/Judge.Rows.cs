using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Appends: whole, once, with the ids that were returned.</summary>
internal sealed partial class Judge
{
    private enum Fate
    {
        Stored,
        NotStored,
        Unknown,
    }

    private void CheckRows(List<StoredRow> stored, bool isLog)
    {
        var byKey = stored.ToLookup(row => row.Key);
        var appends = Of<AppendOperation>().Where(append => append.IsLog == isLog).ToList();
        var known = new Dictionary<EventKey, (Guid Parent, List<Operation> Operations)>();
        void Note(EventKey key, Guid parent, Operation operation)
        {
            if (!known.TryGetValue(key, out var entry))
            {
                known.Add(key, entry = (parent, []));
            }

            entry.Operations.Add(operation);
        }

        foreach (var append in appends)
        {
            foreach (var (parent, key) in append.Rows)
            {
                Note(key, parent, append);
            }
        }

        if (!isLog)
        {
            foreach (var write in Of<WriteOperation>())
            {
                Note(write.Key, write.Crawl, write);
            }

            foreach (var take in Of<TakeOperation>())
            {
                foreach (var taken in take.Taken)
                {
                    Note(taken.Key, taken.Crawl, take);
                }
            }
        }

        foreach (var (key, (parent, mentions)) in known)
        {
            var rows = byKey[key].ToList();
            if (rows.Count > 1)
            {
                Add(Promise.Doubled, $"{key} is stored {rows.Count} times: {string.Join("; ", rows)}", mentions);
            }

            var (fate, id) = FateOf(key, mentions);
            if (fate == Fate.Stored && rows.Count == 0 && !MayVanish(parent, mentions))
            {
                Add(Promise.Lost, $"{key} of {Short(parent)} is not stored", mentions);
            }
            else if (fate == Fate.NotStored && rows.Count > 0)
            {
                Add(Promise.Unexpected, $"{rows[0]} is stored", mentions);
            }
            else if (rows.Count == 1 && (rows[0].Parent != parent || (id is { } told && rows[0].Id != told)))
            {
                Add(Promise.WrongId, $"{rows[0]} is stored, and id {id} of {Short(parent)} was returned", mentions);
            }
        }

        foreach (var row in stored.Where(row => !known.ContainsKey(row.Key)))
        {
            Add(Promise.Unexpected, $"{row} was never written");
        }

        CheckBatches(appends, byKey);
    }

    private void CheckBatches(List<AppendOperation> appends, ILookup<EventKey, StoredRow> byKey)
    {
        foreach (var append in appends)
        {
            if (append.Outcome == Outcome.Unknown)
            {
                var lasting = append.Rows.Where(row => !MayVanish(row.Parent, [append])).ToList();
                var present = lasting.Count(row => byKey[row.Key].Any());
                if (present > 0 && present < lasting.Count)
                {
                    Add(Promise.Partial, $"{present} of {lasting.Count} rows are stored", append);
                }
            }

            var ids = append.Rows.SelectMany(row => byKey[row.Key].Take(1)).Select(row => row.Id).ToList();
            if (ids.Zip(ids.Skip(1)).Any(pair => pair.First >= pair.Second))
            {
                Add(Promise.OutOfOrder, $"the rows of a batch have the ids {string.Join(", ", ids.Take(20))}", append);
            }

            if (append is { MustSucceed: true, Outcome: Outcome.Refused } and { Error: not CallbackException })
            {
                Add(Promise.GaveUp, "an append of valid rows was refused", append);
            }

            if (!append.HasRefusedRow && IsRefusalOfRow(append.Error))
            {
                Add(Promise.NotAlone, $"the event failed with the error of another", append);
            }
        }
    }

    // The only constraint that an operation violates is the one of the trigger.
    private static bool IsRefusalOfRow(Exception? error) => error is PostgresException { SqlState: PostgresErrorCodes.CheckViolation };

    /// <summary>What must have become of a row, and the id that was returned for it.</summary>
    private static (Fate Fate, long? Id) FateOf(EventKey key, List<Operation> mentions)
    {
        if (mentions.OfType<AppendOperation>().FirstOrDefault() is { } append)
        {
            var index = append.Ids is null ? -1 : append.Rows.Select(row => row.Key).ToList().IndexOf(key);
            long? id = index >= 0 ? append.Ids![index] : null;
            return append.Outcome switch
            {
                Outcome.Acknowledged => (Fate.Stored, id),
                Outcome.Refused => (Fate.NotStored, null),
                _ => (Fate.Unknown, append.Outcome == Outcome.Unknown ? id : null),
            };
        }

        // An event that was written, and given back, and perhaps written again.
        var writes = mentions.OfType<WriteOperation>().ToList();
        var taken = mentions.OfType<TakeOperation>().SelectMany(take => take.Taken).Where(one => one.Key == key).ToList();
        if (writes.Any(write => write.Outcome is Outcome.Pending or Outcome.Unknown) || taken.Any(one => one.Error is AppendOutcomeUnknownException))
        {
            return (Fate.Unknown, null);
        }

        return (writes.Count(write => write.IsAcknowledged) > taken.Count ? Fate.Stored : Fate.NotStored, null);
    }

    /// <summary>Whether a purge may have deleted a row.</summary>
    private bool MayVanish(Guid parent, List<Operation> mentions)
    {
        var timestamp = mentions is [AppendOperation append] ? append.Timestamp : TimeSpan.Zero;
        return mentions is [AppendOperation { IsLog: true }]
            ? MayBePurged("audit_sessions", timestamp)
            : EndedRuns.TryGetValue(parent, out var ended) && MayBePurged("crawl_runs", ended > timestamp ? ended : timestamp);
    }

    /// <summary>The runs that may have ended, and the earliest time of it.</summary>
    private Dictionary<Guid, TimeSpan> EndedRuns => field ??= Of<StatusOperation>().Where(status => !status.IsStart && status.MayBeApplied)
        .Select(status => (status.Run, Ended: status.Invoked))
        .Concat(Of<InsertOperation>().Where(insert => insert.HaveEnded).SelectMany(insert => insert.Ids.Select(id => (Run: id, Ended: TimeSpan.MinValue))))
        .GroupBy(one => one.Run).ToDictionary(group => group.Key, group => group.Min(one => one.Ended));
}

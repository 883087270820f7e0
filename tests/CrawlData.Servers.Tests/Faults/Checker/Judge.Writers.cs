using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>The writer: what a flush promises, what is given back, and what stays behind it.</summary>
internal sealed partial class Judge
{
    private void CheckWriters()
    {
        var takes = Of<TakeOperation>().ToList();
        var taken = takes.SelectMany(take => take.Taken.Select(one => (one.Key, Take: take, one.Error))).ToLookup(one => one.Key);
        var writes = Of<WriteOperation>().Where(write => write.IsAcknowledged).ToList();
        var byKey = writes.ToLookup(write => write.Key);
        foreach (var given in taken)
        {
            if (given.Count() > byKey[given.Key].Count())
            {
                Add(Promise.TakenTwice, $"{given.Key} was given back {given.Count()} times", [.. byKey[given.Key], .. given.Select(one => one.Take)]);
            }

            if (given.FirstOrDefault(one => IsRefusalOfRow(one.Error)) is { Take: not null } refused && byKey[given.Key].All(write => !write.IsRefused))
            {
                Add(Promise.NotAlone, $"{given.Key} was given back with the error of another event", [.. byKey[given.Key], refused.Take]);
            }
        }

        foreach (var flush in Of<FlushOperation>().Where(flush => flush.Crawl is not null))
        {
            if (flush.Error is CrawlEventsNotStoredException error && error.Events.Any(one => one.CrawlId != flush.Crawl))
            {
                Add(Promise.NotAlone, "a flush of one crawl failed with the events of another", flush);
            }
        }

        foreach (var take in takes.Where(take => take.Crawl is not null && take.Taken.Any(one => one.Crawl != take.Crawl)))
        {
            Add(Promise.NotAlone, "a take of one crawl gave back the events of another", take);
        }

        CheckFlushes(writes, taken);
        CheckHeld(writes, taken);
    }

    /// <summary>What was written before a flush that succeeds is stored, or was given back before. So a client finds what it wrote.</summary>
    private void CheckFlushes(List<WriteOperation> writes, ILookup<EventKey, (EventKey Key, TakeOperation Take, Exception Error)> taken)
    {
        var ofWriter = Of<FlushOperation>().Where(flush => flush.IsAcknowledged).ToLookup(flush => flush.Writer);
        foreach (var write in writes)
        {
            var given = taken[write.Key].Select(one => one.Take).Where(take => take.Completed > write.Invoked).MinBy(take => take.Invoked);
            var flush = given is null ? null : ofWriter[write.Writer].FirstOrDefault(flush =>
                (flush.Crawl is null || flush.Crawl == write.Crawl)
                && write.Completed < flush.Invoked
                && flush.Registered < given.Invoked);
            if (flush is not null)
            {
                Add(Promise.FlushedEarly, $"{write.Key} was flushed, and was given back afterwards", write, flush, given!);
            }
        }

        var byClient = writes.ToLookup(write => (write.Client, write.Crawl));
        var flushes = Of<FlushOperation>().Where(flush => flush.IsAcknowledged).ToLookup(flush => (flush.Client, flush.Writer));
        foreach (var read in Of<ReadOperation>().Where(read => read.IsAcknowledged))
        {
            var flush = flushes[(read.Client, read.Writer)]
                .LastOrDefault(flush => flush.Completed <= read.Invoked && (flush.Crawl is null || flush.Crawl == read.Crawl));
            if (flush is null)
            {
                continue;
            }

            foreach (var write in byClient[(read.Client, read.Crawl)].Where(write => write.Writer == read.Writer && write.Completed <= flush.Invoked))
            {
                if (!read.Keys.Contains(write.Key) && !taken[write.Key].Any(one => one.Take.Invoked < read.Completed))
                {
                    Add(Promise.FlushedEarly, $"{write.Key} was flushed, and was neither stored nor given back", write, flush, read);
                }
            }
        }
    }

    /// <summary>Behind an event that was given back after an outage, nothing that the same client wrote to the same crawl before the take is stored.</summary>
    private void CheckHeld(List<WriteOperation> writes, ILookup<EventKey, (EventKey Key, TakeOperation Take, Exception Error)> taken)
    {
        var ids = state.Events.Select(row => row.Key).ToHashSet();
        foreach (var stream in writes.GroupBy(write => (write.Writer, write.Client, write.Crawl)))
        {
            // The take that gave back an event which is still held, when this write is reached.
            (WriteOperation Write, TakeOperation Take)? held = null;
            foreach (var write in stream)
            {
                var given = taken[write.Key].OrderBy(one => one.Take.Invoked).FirstOrDefault(one => one.Take.Completed > write.Invoked);
                if (held is { } behind
                    && write.Invoked > behind.Write.Completed
                    && write.Completed < behind.Take.Invoked
                    && given.Take is null
                    && ids.Contains(write.Key))
                {
                    Add(Promise.StoredBehindHeld, $"{write.Key} is stored, and {behind.Write.Key} was given back", behind.Write, write, behind.Take);
                }

                if (given.Take is not null && IsOutage(given.Error) && (held is null || held.Value.Take.Invoked < given.Take.Invoked))
                {
                    held = (write, given.Take);
                }
            }
        }
    }

    /// <summary>Whether an error is an outage's, and holds back what was written behind its event.</summary>
    public static bool IsOutage(Exception error) => error is AppendOutcomeUnknownException
        || (error is NpgsqlException && (error is not PostgresException server || server.IsTransient || server.SqlState is PostgresErrorCodes.QueryCanceled));
}

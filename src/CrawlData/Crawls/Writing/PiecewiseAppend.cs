using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Append = System.Func<
    CrawlData.Storage.RowBatch<CrawlData.Crawls.NewCrawlEvent>,
    System.Func<Npgsql.NpgsqlConnection, Npgsql.NpgsqlTransaction, CrawlData.Storage.AppendedRows, System.Threading.Tasks.Task>?,
    System.Threading.Tasks.Task<CrawlData.Storage.PartialAppend>>;

namespace CrawlData.Crawls;

/// <summary>Appends a writer's events, and completes the calls that await them. When the server refuses a batch, or a batch exceeds a time-out of the server,
/// it appends the batch in pieces. So an event that cannot be stored fails alone.</summary>
internal sealed class PiecewiseAppend(CrawlEventBuffer buffer, WriterRetries retries, Spool? spool, ILogger logger)
{
    private readonly ClusterIdentifier clusters = new();

    /// <summary>Appends events. Afterwards each one is stored or failed, or its crawl is locked.</summary>
    /// <param name="entries">The events. The events of each crawl are together, in the order in which they were written.</param>
    /// <param name="append">Appends a piece, as far as its crawls are available.</param>
    /// <param name="read">The events that only the caller holds, and that fail with their crawl.</param>
    /// <returns>The crawls that are locked.</returns>
    public async Task<IReadOnlySet<Guid>> StoreAsync(
        IReadOnlyList<QueuedEvent> entries,
        Append append,
        IEnumerable<QueuedEvent> read)
    {
        var locked = new HashSet<Guid>();
        var pieces = new Stack<IEnumerable<QueuedEvent>>([entries]);
        while (pieces.TryPop(out var next))
        {
            // Events that have failed meanwhile, with their crawl, are left out.
            ArraySegment<QueuedEvent> piece = next.Where(entry => !entry.IsDone && !locked.Contains(entry.CrawlId)).ToArray();
            if (piece.Count == 0)
            {
                continue;
            }

            try
            {
                var appended = await AppendAsync(piece, append).ConfigureAwait(false);

                if (appended.Ids.Count == piece.Count)
                {
                    Complete(piece, appended.Ids);
                    continue;
                }

                // Whoever gets an id sees the failures of the same flush.
                FailUnknown(piece, appended.Unknown.ToHashSet());
                var stored = appended.Appended.ToHashSet();
                Complete(piece.Where(entry => stored.Contains(entry.CrawlId)).ToArray(), appended.Ids);
                locked.UnionWith(piece.Where(entry => !entry.IsDone).Select(entry => entry.CrawlId));
            }
            catch (ClaimLostException exception)
            {
                // The events of other claims, and those without one, are appended next.
                var (crawlId, claim) = (exception.CrawlId, exception.Claim);
                Fail([.. piece.Where(entry => entry.CrawlId == crawlId && entry.Claim?.Number == claim)], new ClaimLostException(crawlId, claim, index: 0));
                pieces.Push(piece);
            }
            catch (Exception exception) when (piece.Count > 1 && (ServerErrors.IsRefusal(exception) || RetryPolicy.IsServerTimeout(exception)))
            {
                pieces.Push(piece[(piece.Count / 2)..]);
                pieces.Push(piece[..(piece.Count / 2)]);
            }
            catch (Exception exception) when (ServerErrors.IsRefusal(exception))
            {
                Fail(piece, exception);
            }
            catch (SpoolWriteException exception) when (retries.HasTime)
            {
                await retries.PauseAsync(exception).ConfigureAwait(false);
                pieces.Push(piece);
            }
            catch (Exception exception)
            {
                // Whatever the error is, each event's caller gets it, or the event is kept.
                retries.NoteFailed();
                FailCrawls(piece.Select(entry => entry.CrawlId).ToHashSet(), read, exception);

                // Each attempt may last until the limit, so the other crawls share one.
                var others = pieces.SelectMany(waiting => waiting).ToArray();
                pieces.Clear();
                pieces.Push(others);
            }
        }

        return locked;
    }

    /// <summary>Fails events, each by itself.</summary>
    public void Fail(IReadOnlyCollection<QueuedEvent> entries, Exception error)
    {
        buffer.Fail(entries, error);
        LogNotStored(entries, error);
    }

    /// <summary>Fails all events of crawls that are not stored.</summary>
    public void FailCrawls(IReadOnlySet<Guid> crawls, IEnumerable<QueuedEvent> read, Exception error) =>
        LogNotStored(buffer.FailCrawls(crawls, read, error), error);

    private async Task<PartialAppend> AppendAsync(ArraySegment<QueuedEvent> piece, Append append)
    {
        var spooled = spool is null ? null : new SpooledAppend(spool, clusters, piece);
        try
        {
            var batch = new RowBatch<NewCrawlEvent>(
                [.. piece.Select(entry => (entry.CrawlId, entry.Event))],
                piece.Any(entry => entry.Claim is not null) ? [.. piece.Select(entry => entry.Claim)] : null);
            var appended = await append(batch, spooled is null ? null : spooled.BeforeCommitAsync).ConfigureAwait(false);
            if (appended.Ids.Count > 0)
            {
                retries.NoteStored();
                spooled?.NoteStored();
            }
            else
            {
                spooled?.NoteRolledBack();
            }

            return appended;
        }
        catch (Exception exception) when (exception is not AppendOutcomeUnknownException)
        {
            spooled?.NoteRolledBack();
            throw;
        }
    }

    private static void Complete(ArraySegment<QueuedEvent> entries, IReadOnlyList<long> ids)
    {
        if (entries.Count != ids.Count)
        {
            throw new InvalidOperationException($"The server stored {ids.Count} of {entries.Count} events. A trigger has left out the others.");
        }

        for (var index = 0; index < ids.Count; index++)
        {
            entries[index].Complete(ids[index]);
        }
    }

    private void FailUnknown(ArraySegment<QueuedEvent> piece, HashSet<Guid> unknown)
    {
        var entries = piece.Where(entry => unknown.Contains(entry.CrawlId)).ToArray();
        foreach (var ofCrawl in entries.GroupBy(entry => entry.CrawlId))
        {
            buffer.Fail([.. ofCrawl], new RowNotFoundException(CrawlEventStatements.RunsTable, [ofCrawl.Key]));
        }

        if (entries is [var first, ..])
        {
            LogNotStored(entries, new RowNotFoundException(CrawlEventStatements.RunsTable, [first.CrawlId]));
        }
    }

    private void LogNotStored(IReadOnlyCollection<QueuedEvent> entries, Exception error)
    {
        if (entries.Count > 0)
        {
            Log.EventsNotStored(logger, entries.Count, entries.Select(entry => entry.CrawlId).Distinct().Count(), Telemetry.ErrorType(error));
        }
    }
}

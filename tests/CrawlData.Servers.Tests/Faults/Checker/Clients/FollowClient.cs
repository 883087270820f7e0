using CrawlData.Crawls;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Follows one crawl, or all crawls.</summary>
/// <param name="workload">What the clients share.</param>
/// <param name="number">The client's number.</param>
/// <param name="crawl">The crawl; null for all crawls.</param>
/// <param name="lists">Whether it lists all crawls instead of following them.</param>
/// <param name="ambient">Whether it does so in one ambient transaction.</param>
internal sealed class FollowClient(Workload workload, int number, Guid? crawl, bool lists = false, bool ambient = false) : IDisposable
{
    private readonly CrawlEventRepository events = workload.Events(number, workload.OfFollowers);

    // One of two listens. The others poll often.
    private readonly CrawlEventFollowOptions options = new()
    {
        Listen = number % 2 == 0,
        PollInterval = TimeSpan.FromMilliseconds(number % 2 == 0 ? 50 : 2),
        PageSize = 300,
    };

    private readonly TaskCompletionSource<long> last = new();
    private readonly CancellationTokenSource hasAll = new();
    private long lastId;

    /// <summary>The id of the last event that it got.</summary>
    public long LastId => Volatile.Read(ref lastId);

    /// <summary>Follows to the end: of the run, or to the last event of all crawls.</summary>
    /// <param name="cursor">For all crawls: where to begin.</param>
    public async Task RunAsync(string? cursor = null)
    {
        var follow = new FollowOperation(number, crawl);
        await workload.History.RunAsync(follow, async () =>
        {
            using var scope = ambient ? Ambient.Begin() : null;
            await (crawl is { } one ? FollowAsync(follow, one) : lists ? ListAllAsync(follow, cursor) : FollowAllAsync(follow, cursor));
        });
    }

    /// <summary>Sets the last event of all crawls. The client may have got it already, and then gets no further batch.</summary>
    public void EndAt(long id)
    {
        last.TrySetResult(id);
        if (LastId >= id)
        {
            hasAll.Cancel();
        }
    }

    public void Dispose() => hasAll.Dispose();

    private async Task FollowAsync(FollowOperation follow, Guid one)
    {
        await foreach (var crawlEvent in events.FollowAsync(one, options: options))
        {
            Add(follow, [crawlEvent]);
        }
    }

    private async Task FollowAllAsync(FollowOperation follow, string? cursor)
    {
        try
        {
            await foreach (var batch in events.FollowAllAsync(cursor, options, hasAll.Token))
            {
                Add(follow, batch.Events);
                if (last.Task.IsCompletedSuccessfully && batch.Events[^1].Id >= await last.Task)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (hasAll.IsCancellationRequested)
        {
        }
    }

    private async Task ListAllAsync(FollowOperation follow, string? cursor)
    {
        while (!last.Task.IsCompletedSuccessfully || follow.Delivered.Count == 0 || follow.Delivered[^1].Id < await last.Task)
        {
            var batch = await events.ListAllAsync(cursor, options.PageSize);
            Add(follow, batch.Events);
            cursor = batch.Cursor;
            if (batch.Events.Count == 0)
            {
                await Task.Delay(options.PollInterval);
            }
        }
    }

    private void Add(FollowOperation follow, IReadOnlyList<CrawlEvent> events)
    {
        follow.Delivered.AddRange(events.Select(Row));
        Interlocked.Exchange(ref lastId, events.Count > 0 ? events[^1].Id : lastId);
    }

    private static StoredRow Row(CrawlEvent crawlEvent)
    {
        var payload = crawlEvent.Payload.ToElement();
        return new StoredRow(
            crawlEvent.CrawlId, crawlEvent.Id, new EventKey(payload.GetProperty("client").GetInt32(), payload.GetProperty("number").GetInt32()));
    }
}

using CrawlData.Crawls;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Follows one crawl, or all crawls.</summary>
internal sealed class FollowClient(Workload workload, int number, Guid? crawl)
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

    /// <summary>Follows to the end: of the run, or to the last event of all crawls.</summary>
    /// <param name="cursor">For all crawls: where to begin.</param>
    public async Task RunAsync(string? cursor = null)
    {
        var follow = new FollowOperation(number, crawl);
        await workload.History.RunAsync(follow, () => crawl is { } one ? FollowAsync(follow, one) : FollowAllAsync(follow, cursor));
    }

    /// <summary>Sets the last event of all crawls.</summary>
    public void EndAt(long id) => last.TrySetResult(id);

    private async Task FollowAsync(FollowOperation follow, Guid one)
    {
        await foreach (var crawlEvent in events.FollowAsync(one, options: options))
        {
            follow.Delivered.Add(Row(crawlEvent));
        }
    }

    private async Task FollowAllAsync(FollowOperation follow, string? cursor)
    {
        await foreach (var batch in events.FollowAllAsync(cursor, options))
        {
            follow.Delivered.AddRange(batch.Events.Select(Row));
            if (last.Task.IsCompletedSuccessfully && batch.Events[^1].Id >= await last.Task)
            {
                return;
            }
        }
    }

    private static StoredRow Row(CrawlEvent crawlEvent)
    {
        var payload = crawlEvent.Payload.ToElement();
        return new StoredRow(
            crawlEvent.CrawlId, crawlEvent.Id, new EventKey(payload.GetProperty("client").GetInt32(), payload.GetProperty("number").GetInt32()));
    }
}

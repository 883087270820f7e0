using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Followers that have read what is stored, and get nothing more.</summary>
internal sealed class IdleFollowers : IAsyncDisposable
{
    // So many followers start at a time, as many as a pool has connections to spare.
    private const int Starting = 50;

    private readonly CancellationTokenSource enough = new();
    private readonly SemaphoreSlim starts = new(Starting);
    private readonly TaskCompletionSource caughtUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Task> following;
    private int behind;

    /// <param name="events">The repository of all followers.</param>
    /// <param name="crawls">The crawls, each with an event; null to follow all crawls from now on.</param>
    /// <param name="count">The number of followers.</param>
    public IdleFollowers(CrawlEventRepository events, IReadOnlyList<Guid>? crawls, int count)
    {
        behind = count;
        following =
        [
            .. Enumerable.Range(0, count).Select(index => Task.Run(() => FollowAsync(events, crawls?[index % crawls.Count]))),
        ];
    }

    /// <summary>Waits until each follower has got an event. A follower of all crawls gets none.</summary>
    public Task UntilCaughtUpAsync() => caughtUp.Task;

    public async ValueTask DisposeAsync()
    {
        await enough.CancelAsync();
        await Task.WhenAll(following);
        enough.Dispose();
        starts.Dispose();
    }

    private async Task FollowAsync(CrawlEventRepository events, Guid? crawl)
    {
        try
        {
            await starts.WaitAsync(enough.Token);
            if (crawl is { } id)
            {
                var isFirst = true;
                await foreach (var _ in events.FollowAsync(id, cancellationToken: enough.Token))
                {
                    if (isFirst)
                    {
                        CaughtUp();
                    }

                    isFirst = false;
                }
            }
            else
            {
                var newest = await events.GetNewestCursorAsync(enough.Token);
                CaughtUp();
                await foreach (var _ in events.FollowAllAsync(newest, cancellationToken: enough.Token))
                {
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Enough was measured.
        }
        catch (Exception exception)
        {
            caughtUp.TrySetException(exception);
        }
    }

    private void CaughtUp()
    {
        starts.Release();
        if (Interlocked.Decrement(ref behind) == 0)
        {
            caughtUp.TrySetResult();
        }
    }
}

using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Followers that have read what is stored, and get nothing more.</summary>
internal sealed class IdleFollowers : IAsyncDisposable
{
    private readonly CancellationTokenSource enough = new();
    private readonly CountdownEvent behind;
    private readonly TaskCompletionSource caughtUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Task> following;

    /// <param name="events">The repository of all followers.</param>
    /// <param name="crawls">The crawls, each with an event; null to follow all crawls.</param>
    /// <param name="count">The number of followers.</param>
    public IdleFollowers(CrawlEventRepository events, IReadOnlyList<Guid>? crawls, int count)
    {
        behind = new CountdownEvent(count);
        following =
        [
            .. Enumerable.Range(0, count).Select(index => Task.Run(() => FollowAsync(
                crawls is null
                    ? events.FollowAllAsync(cancellationToken: enough.Token).Select(batch => batch.Events[0])
                    : events.FollowAsync(crawls[index % crawls.Count], cancellationToken: enough.Token)))),
        ];
    }

    /// <summary>Waits until each follower has got an event.</summary>
    public Task UntilCaughtUpAsync() => caughtUp.Task;

    public async ValueTask DisposeAsync()
    {
        await enough.CancelAsync();
        await Task.WhenAll(following);
        enough.Dispose();
        behind.Dispose();
    }

    private async Task FollowAsync(IAsyncEnumerable<CrawlEvent> events)
    {
        var isFirst = true;
        try
        {
            await foreach (var _ in events)
            {
                if (isFirst && behind.Signal())
                {
                    caughtUp.TrySetResult();
                }

                isFirst = false;
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
}

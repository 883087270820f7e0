namespace CrawlData.Crawls;

/// <summary>A follower that waits for its next page.</summary>
/// <param name="options">How it waits.</param>
internal sealed class FollowWaiter(CrawlEventFollowOptions options)
    : TaskCompletionSource<FollowedPage>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public CrawlEventFollowOptions Options => options;

    /// <summary>The group that the follower waits in. The hub's lock protects it.</summary>
    public FollowGroup? Group { get; set; }
}

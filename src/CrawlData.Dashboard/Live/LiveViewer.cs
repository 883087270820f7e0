namespace CrawlData.Dashboard.Live;

/// <summary>A viewer of a live run or session.</summary>
/// <param name="follower">Its follower.</param>
/// <param name="leave">Ends the view.</param>
internal sealed class LiveViewer(LiveFollower follower, Action leave) : IDisposable
{
    public LiveFollower Follower => follower;

    public void Dispose() => leave();
}

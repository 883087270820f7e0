using CrawlData.Dashboard.Reads;

namespace CrawlData.Dashboard.Live;

/// <summary>The runs and sessions that somebody looks at. Each has one follower, from its first viewer to its last.</summary>
internal sealed class LiveFollowers
{
    // Each holds a connection of a browser and a frame.
    private const int MaxViewers = 256;

    private readonly Lock gate = new();
    private readonly Dictionary<(LiveSource Source, Guid Id), LiveFollower> followers = [];
    private int viewers;

    /// <summary>Adds a viewer, until the result is disposed.</summary>
    /// <exception cref="DashboardBusyException">There are too many viewers.</exception>
    public LiveViewer Enter(LiveSource source, Guid id)
    {
        lock (gate)
        {
            if (viewers >= MaxViewers)
            {
                throw new DashboardBusyException($"{MaxViewers} live views are open.");
            }

            if (!followers.TryGetValue((source, id), out var follower) || follower.IsOver)
            {
                followers[(source, id)] = follower = new LiveFollower(id, source);
            }

            viewers++;
            follower.Viewers++;
            return new LiveViewer(follower, () => Leave((source, id), follower));
        }
    }

    private void Leave((LiveSource Source, Guid Id) key, LiveFollower follower)
    {
        lock (gate)
        {
            viewers--;
            if (--follower.Viewers > 0)
            {
                return;
            }

            if (followers.GetValueOrDefault(key) == follower)
            {
                followers.Remove(key);
            }
        }

        follower.Dispose();
    }
}

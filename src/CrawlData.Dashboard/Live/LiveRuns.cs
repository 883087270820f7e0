using CrawlData.Dashboard.Reads;

namespace CrawlData.Dashboard.Live;

/// <summary>The runs that somebody looks at. Each has one follower, from its first viewer to its last.</summary>
internal sealed class LiveRuns(LiveSource source)
{
    // Each holds a connection of a browser and a frame.
    private const int MaxViewers = 256;

    private readonly Lock gate = new();
    private readonly Dictionary<Guid, LiveRun> runs = [];
    private int viewers;

    /// <summary>Adds a viewer, until the result is disposed.</summary>
    /// <exception cref="DashboardBusyException">There are too many viewers.</exception>
    public LiveViewer Enter(Guid id)
    {
        lock (gate)
        {
            if (viewers >= MaxViewers)
            {
                throw new DashboardBusyException($"{MaxViewers} live views are open.");
            }

            if (!runs.TryGetValue(id, out var run) || run.IsOver)
            {
                runs[id] = run = new LiveRun(id, source);
            }

            viewers++;
            run.Viewers++;
            return new LiveViewer(run, () => Leave(id, run));
        }
    }

    private void Leave(Guid id, LiveRun run)
    {
        lock (gate)
        {
            viewers--;
            if (--run.Viewers > 0)
            {
                return;
            }

            if (runs.GetValueOrDefault(id) == run)
            {
                runs.Remove(id);
            }
        }

        run.Dispose();
    }
}

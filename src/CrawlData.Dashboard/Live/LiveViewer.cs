namespace CrawlData.Dashboard.Live;

/// <summary>A viewer of a live run.</summary>
/// <param name="run">The run.</param>
/// <param name="leave">Ends the view.</param>
internal sealed class LiveViewer(LiveRun run, Action leave) : IDisposable
{
    public LiveRun Run => run;

    public void Dispose() => leave();
}

using CrawlData.Crawls;
using CrawlData.Dashboard.Reads;

namespace CrawlData.Dashboard.Screens;

/// <summary>A run in a list.</summary>
/// <param name="Run">The run.</param>
/// <param name="Last">The last event of a run that has not ended.</param>
/// <param name="IsStale">Whether it is running, and has had no sign of life for a while.</param>
internal sealed record RunRow(CrawlRun Run, LastCrawlEvent? Last, bool IsStale)
{
    /// <summary>Gets the time from the start to the end; null before either.</summary>
    public TimeSpan? Took => (Run.CompletedAt ?? Run.CancelledAt) - Run.StartedAt;

    public object Twin => new { Run, LastEvent = LastEventTwin.Of(Last), IsStale };

    /// <summary>Adds last events and marks to runs. Only runs without a recent event cost the look for heartbeats.</summary>
    public static async Task<IReadOnlyList<RunRow>> OfAsync(IReadOnlyList<CrawlRun> runs, RowReads rows, TimeSpan staleAfter)
    {
        var running = runs.Where(run => run.Status == CrawlStatus.Running).Select(run => run.Id).ToList();
        var last = running.Count == 0 ? new Dictionary<Guid, LastCrawlEvent>() : await rows.GetLastEventsAsync(running).ConfigureAwait(false);
        var silent = await rows.FindSilentRunsAsync(running.Where(id => !(last.GetValueOrDefault(id)?.Age < staleAfter))).ConfigureAwait(false);
        return [.. runs.Select(run => new RunRow(run, last.GetValueOrDefault(run.Id), silent.Contains(run.Id)))];
    }
}

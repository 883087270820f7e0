using CrawlData.Crawls;

namespace CrawlData.Dashboard.Screens;

/// <summary>A run with a part of its events, or with their counts.</summary>
internal sealed record RunView : IScreen
{
    public string Title => Row.Run.AppPackage;

    public required RunRow Row { get; init; }

    public required CrawlRunAttempt? Attempt { get; init; }

    public required LastCrawlEvent? Last { get; init; }

    /// <summary>Gets the events; null on the other tabs.</summary>
    public required EventList? Events { get; init; }

    /// <summary>Gets the counts; null on the other tabs.</summary>
    public required CrawlEventSummary? Stats { get; init; }

    /// <summary>Gets whether this is the tab of the events over time.</summary>
    public required bool IsOverTime { get; init; }

    /// <summary>Gets the events over time; null on the other tabs, and without events.</summary>
    public required EventStrip? Strip { get; init; }

    /// <summary>Gets whether further events may come.</summary>
    public bool IsLive => Row.Run.Status is CrawlStatus.Pending or CrawlStatus.Running;

    /// <summary>Gets the most frequent types with their counts, as many as a page may have rows.</summary>
    public IEnumerable<KeyValuePair<string, long>> MostFrequent =>
        Stats!.CountByType.OrderByDescending(type => type.Value).ThenBy(type => type.Key, StringComparer.Ordinal).Take(Query.MaxPageSize);

    public object Twin => new
    {
        Row.Run,
        Attempt,
        LastEvent = LastEventTwin.Of(Last),
        Row.IsStale,
        Events = Events?.Twin,
        Stats = Stats is null ? null : new { Stats.Count, Stats.IsComplete, Stats.CountByType, Stats.FirstCreatedAt, Stats.LastCreatedAt },
        OverTime = Strip,
    };

    public static async Task<RunView?> ReadAsync(ScreenRequest request)
    {
        var tab = request.Query.Text("tab") ?? "events";
        if (tab is not ("events" or "time" or "stats"))
        {
            throw new BadQueryException("tab", "must be events, time or stats");
        }

        if (await request.Rows.GetRunAsync(request.Id).ConfigureAwait(false) is not { } run)
        {
            return null;
        }

        var row = (await RunRow.OfAsync([run], request.Rows, request.StaleAfter).ConfigureAwait(false))[0];
        var samples = tab == "time" ? await request.Rows.SampleEventsAsync(run.Id).ConfigureAwait(false) : null;
        return new RunView
        {
            Row = row,
            Attempt = await request.Rows.GetAttemptAsync(run.Id).ConfigureAwait(false),
            Last = row.Last ?? (await request.Rows.GetLastEventsAsync([run.Id]).ConfigureAwait(false)).GetValueOrDefault(run.Id),
            Events = tab == "events" ? await EventList.ReadAsync(request).ConfigureAwait(false) : null,
            Stats = tab == "stats" ? await request.Rows.SummarizeAsync(run.Id).ConfigureAwait(false) : null,
            IsOverTime = tab == "time",
            Strip = samples is null ? null : EventStrip.Of(samples, request.IsErrorType),
        };
    }
}

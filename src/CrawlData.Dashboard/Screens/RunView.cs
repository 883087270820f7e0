using CrawlData.Crawls;
using CrawlData.Dashboard.Actions;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Screens;

/// <summary>A run with a part of its events, or with their counts.</summary>
internal sealed record RunView : IScreen
{
    public string Title => Row.Run.AppPackage;

    public required RunRow Row { get; init; }

    public required CrawlRunAttempt? Attempt { get; init; }

    public required LastCrawlEvent? Last { get; init; }

    /// <summary>Gets the events; null on the tab of the counts.</summary>
    public required EventList? Events { get; init; }

    /// <summary>Gets the counts; null on the tab of the events.</summary>
    public required CrawlEventSummary? Stats { get; init; }

    /// <summary>Gets the most frequent types with their counts, as many as a page may have rows.</summary>
    public IEnumerable<KeyValuePair<string, long>> MostFrequent =>
        Stats!.CountByType.OrderByDescending(type => type.Value).ThenBy(type => type.Key, StringComparer.Ordinal).Take(Query.MaxPageSize);

    /// <summary>Gets what the user may do with the run.</summary>
    public required IReadOnlyList<ActionRule> Actions { get; init; }

    public object Twin => new
    {
        Row.Run,
        Attempt,
        LastEvent = LastEventTwin.Of(Last),
        Row.IsStale,
        Events = Events?.Twin,
        Stats = Stats is null ? null : new { Stats.Count, Stats.IsComplete, Stats.CountByType, Stats.FirstCreatedAt, Stats.LastCreatedAt },
    };

    public static async Task<RunView?> ReadAsync(ScreenRequest request)
    {
        var isStats = request.Query.Text("tab") switch
        {
            null or "events" => false,
            "stats" => true,
            _ => throw new BadQueryException("tab", "must be events or stats"),
        };
        if (await request.Rows.GetRunAsync(request.Id).ConfigureAwait(false) is not { } run)
        {
            return null;
        }

        var row = (await RunRow.OfAsync([run], request.Rows, request.StaleAfter).ConfigureAwait(false))[0];
        return new RunView
        {
            Actions = await request.FindActionsAsync(ActionRule.OfRuns, run.Status.ToLabel()).ConfigureAwait(false),
            Row = row,
            Attempt = await request.Rows.GetAttemptAsync(run.Id).ConfigureAwait(false),
            Last = row.Last ?? (await request.Rows.GetLastEventsAsync([run.Id]).ConfigureAwait(false)).GetValueOrDefault(run.Id),
            Events = isStats ? null : await EventList.ReadAsync(request).ConfigureAwait(false),
            Stats = isStats ? await request.Rows.SummarizeAsync(run.Id).ConfigureAwait(false) : null,
        };
    }
}

using CrawlData.Crawls;
using CrawlData.Dashboard.Actions;
using CrawlData.Dashboard.Artifacts;
using CrawlData.Dashboard.Text;

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

    /// <summary>Gets the events over time; null on the other tabs, and without events.</summary>
    public required EventStrip? Strip { get; init; }

    /// <summary>Gets whether further events may come.</summary>
    public bool IsLive => Row.Run.Status is CrawlStatus.Pending or CrawlStatus.Running;

    /// <summary>Gets the steps or the screens; null on other tabs.</summary>
    public required EventList? Timeline { get; init; }

    public required RunTab Tab { get; init; }

    /// <summary>Gets the tabs that the run has.</summary>
    public required IReadOnlyList<RunTab> Tabs { get; init; }

    /// <summary>Gets the properties of a payload that may hold the URI of a screenshot; none where the content of artifacts is not served.</summary>
    public required IReadOnlyCollection<string> ArtifactProperties { get; init; }

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
        Timeline = Timeline?.Twin,
        Stats = Stats is null ? null : new { Stats.Count, Stats.IsComplete, Stats.CountByType, Stats.FirstCreatedAt, Stats.LastCreatedAt },
        OverTime = Strip,
    };

    public static async Task<RunView?> ReadAsync(ScreenRequest request)
    {
        if (await request.Rows.GetRunAsync(request.Id).ConfigureAwait(false) is not { } run)
        {
            return null;
        }

        var tabs = await FindTabsAsync(request).ConfigureAwait(false);
        var tab = ChooseTab(request, tabs);
        var types = tab switch
        {
            RunTab.Steps => request.Options.StepEventTypes,
            RunTab.Screens => request.Options.ScreenEventTypes,
            _ => null,
        };
        var row = (await RunRow.OfAsync([run], request.Rows, request.StaleAfter).ConfigureAwait(false))[0];
        var samples = tab == RunTab.Time ? await request.Rows.SampleEventsAsync(run.Id).ConfigureAwait(false) : null;
        return new RunView
        {
            Actions = await request.FindActionsAsync(ActionRule.OfRuns, run.Status.ToLabel()).ConfigureAwait(false),
            Row = row,
            Attempt = await request.Rows.GetAttemptAsync(run.Id).ConfigureAwait(false),
            Last = row.Last ?? (await request.Rows.GetLastEventsAsync([run.Id]).ConfigureAwait(false)).GetValueOrDefault(run.Id),
            Tab = tab,
            Tabs = tabs,
            ArtifactProperties = request.Options.ServesArtifacts ? request.Options.ArtifactProperties : [],
            Timeline = types is null ? null : await EventList.ReadAsync(request, NameOf(tab), types).ConfigureAwait(false),
            Events = tab == RunTab.Events
                ? await EventList.ReadAsync(request, FirstTab(request, tabs) == RunTab.Events ? null : NameOf(tab)).ConfigureAwait(false)
                : null,
            Stats = tab == RunTab.Stats ? await request.Rows.SummarizeAsync(run.Id).ConfigureAwait(false) : null,
            Strip = samples is null ? null : EventStrip.Of(samples, request.IsErrorType),
        };
    }

    /// <summary>Returns the address of a tab.</summary>
    public string AddressOf(RunTab tab) => tab == RunTab.Events && Tabs[0] == RunTab.Events ? "?" : $"?tab={NameOf(tab)}";

    /// <summary>Returns the address of an event's screenshot; null when there is none to show.</summary>
    public string? ContentOf(CrawlEvent one) =>
        ArtifactReference.Find(one.Payload, ArtifactProperties) is null ? null : $"{Row.Run.Id}/events/{one.Id}/artifact";

    private static string NameOf(RunTab tab) => tab.ToString().ToLowerInvariant();

    // Steps and screens begin with a crawl. A type has no index, so no further events are looked at.
    private static async Task<IReadOnlyList<RunTab>> FindTabsAsync(ScreenRequest request)
    {
        var options = request.Options;
        var types = options.StepEventTypes.Count + options.ScreenEventTypes.Count == 0
            ? new HashSet<string>()
            : await request.Rows.ReadFirstTypesAsync(request.Id).ConfigureAwait(false);
        return
        [
            .. types.Overlaps(options.ScreenEventTypes) ? [RunTab.Screens] : Array.Empty<RunTab>(),
            .. types.Overlaps(options.StepEventTypes) ? [RunTab.Steps] : Array.Empty<RunTab>(),
            RunTab.Events,
            RunTab.Time,
            RunTab.Stats,
        ];
    }

    private static RunTab ChooseTab(ScreenRequest request, IReadOnlyList<RunTab> tabs)
    {
        string[] ofEvents = ["type", "at", "before", "after", "order", "size"];
        return request.Query.Text("tab") is not { } name
            ? ofEvents.Any(parameter => request.Query.Text(parameter) is not null) ? RunTab.Events : FirstTab(request, tabs)
            : Enum.GetValues<RunTab>().FirstOrDefault(tab => NameOf(tab) == name, (RunTab)(-1)) is >= 0 and var named ? named
            : throw new BadQueryException("tab", $"must be one of {string.Join(", ", Enum.GetValues<RunTab>().Select(NameOf))}");
    }

    // The API answers with events, whatever a run has.
    private static RunTab FirstTab(ScreenRequest request, IReadOnlyList<RunTab> tabs) =>
        !request.IsApi && request.Options.ServesArtifacts && tabs[0] == RunTab.Screens ? RunTab.Screens : RunTab.Events;
}

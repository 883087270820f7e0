using CrawlData.Crawls;
using CrawlData.Dashboard.Artifacts;

namespace CrawlData.Dashboard.Screens;

/// <summary>One event, with the ids of its neighbours.</summary>
internal sealed record EventView : IScreen
{
    public string Title => $"Event {Event.Id}";

    public required CrawlRun Run { get; init; }

    public required CrawlEvent Event { get; init; }

    public required long? PreviousId { get; init; }

    public required long? NextId { get; init; }

    /// <summary>Gets whether the event has a screenshot to show.</summary>
    public required bool HasContent { get; init; }

    public object Twin => new { Event, PreviousId, NextId };

    public static async Task<EventView?> ReadAsync(ScreenRequest request)
    {
        var (rows, id) = (request.Rows, request.EventId);
        if (await rows.GetRunAsync(request.Id).ConfigureAwait(false) is not { } run
            || await rows.GetEventAsync(request.Id, id).ConfigureAwait(false) is not { } found)
        {
            return null;
        }

        var previous = id == long.MinValue
            ? null
            : (await rows.ListNewestEventsAsync(run.Id, new CrawlEventFilter { UpToId = id - 1 }, 1).ConfigureAwait(false)).Items.SingleOrDefault();
        var next = (await rows.ListEventsAsync(run.Id, new CrawlEventFilter { AfterId = id }, 1).ConfigureAwait(false)).Items.SingleOrDefault();
        var hasContent = request.Options.ServesArtifacts && ArtifactReference.Find(found.Payload, request.Options.ArtifactProperties) is not null;
        return new EventView { Run = run, Event = found, PreviousId = previous?.Id, NextId = next?.Id, HasContent = hasContent };
    }
}

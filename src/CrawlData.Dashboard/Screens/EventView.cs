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

    /// <summary>Gets the screen that the crawl was on: the last event of such a type, up to this event. Null when there is none near.</summary>
    public required CrawlEvent? Screen { get; init; }

    /// <summary>Gets the properties of a payload that may hold the URI of a screenshot; none where the content of artifacts is not served.</summary>
    public required IReadOnlyCollection<string> ArtifactProperties { get; init; }

    public object Twin => new { Event, PreviousId, NextId, Screen };

    public static async Task<EventView?> ReadAsync(ScreenRequest request)
    {
        var (rows, id) = (request.Rows, request.EventId);
        if (await rows.GetRunAsync(request.Id).ConfigureAwait(false) is not { } run
            || await rows.GetEventAsync(request.Id, id).ConfigureAwait(false) is not { } found)
        {
            return null;
        }

        var (previous, next) = await rows.FindNeighboursAsync(run.Id, id).ConfigureAwait(false);
        return new EventView
        {
            Run = run,
            Event = found,
            PreviousId = previous,
            NextId = next,
            Screen = await rows.FindScreenAsync(run.Id, id, request.Options.ScreenEventTypes).ConfigureAwait(false),
            ArtifactProperties = request.Options.ServesArtifacts ? request.Options.ArtifactProperties : [],
        };
    }

    /// <summary>Returns the address of an event's screenshot; null when there is none to show.</summary>
    public string? ContentOf(CrawlEvent one) => ArtifactReference.Find(one.Payload, ArtifactProperties) is null ? null : $"{one.Id}/artifact";
}

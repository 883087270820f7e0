using System.Globalization;
using CrawlData.Crawls;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Screens;

/// <summary>A part of a crawl's events, in either order. Both neighbouring parts are found by the ids of this one.</summary>
internal sealed record EventList
{
    /// <summary>Gets whether the oldest event is first.</summary>
    public required bool OldestFirst { get; init; }

    /// <summary>Gets the tab of the run that the events are on; null where links need not name it.</summary>
    public string? Tab { get; init; }

    /// <summary>Gets whether the types are those of the tab, and the oldest event is first unless the address says otherwise.</summary>
    public bool IsTimeline { get; init; }

    public required string? Type { get; init; }

    public required string? At { get; init; }

    public required int PageSize { get; init; }

    public required IReadOnlyList<CrawlEvent> Items { get; init; }

    public required bool HasOlder { get; init; }

    public required bool HasNewer { get; init; }

    public bool IsFiltered => Type is not null;

    public object Twin => new { Items, HasOlder, HasNewer };

    /// <summary>Reads the part that the address names.</summary>
    /// <param name="request">The request.</param>
    /// <param name="tab">The tab of the run, for links.</param>
    /// <param name="types">The types of a timeline; null for those that the address names.</param>
    public static async Task<EventList> ReadAsync(ScreenRequest request, string? tab = null, IReadOnlyCollection<string>? types = null)
    {
        var query = request.Query;
        var oldestFirst = query.Text("order") switch
        {
            null => types is not null,
            "newest" => false,
            "oldest" => true,
            _ => throw new BadQueryException("order", "must be newest or oldest"),
        };
        var (before, after) = (query.Id("before"), query.Id("after"));
        if (before is not null && after is not null)
        {
            throw new BadQueryException("before", "cannot be combined with after");
        }

        if (query.Text("at") is not null && before is null && after is null)
        {
            // From this event on, in the order of the list. A time after the last event leads to the end.
            var at = await FindAsync(request).ConfigureAwait(false);
            (before, after) = oldestFirst ? (null, Previous(at ?? long.MaxValue)) : (at is null or long.MaxValue ? null : at + 1, (long?)null);
        }

        var filter = new CrawlEventFilter { EventTypes = types ?? (query.Text("type") is { } type ? [type] : null) };
        var readsOn = after is not null || (oldestFirst && before is null);
        var page = readsOn
            ? await request.Rows.ListEventsAsync(request.Id, filter with { AfterId = after }, query.PageSize).ConfigureAwait(false)
            : await request.Rows.ListNewestEventsAsync(request.Id, filter with { UpToId = before is { } id ? Previous(id) : null }, query.PageSize)
                .ConfigureAwait(false);
        return new EventList
        {
            Tab = tab,
            IsTimeline = types is not null,
            OldestFirst = oldestFirst,
            Type = types is null ? query.Text("type") : null,
            At = query.Text("at"),
            PageSize = query.PageSize,
            Items = readsOn == oldestFirst ? page.Items : [.. page.Items.Reverse()],
            HasOlder = readsOn ? after is not null : page.NextCursor is not null,
            HasNewer = readsOn ? page.NextCursor is not null : before is not null,
        };
    }

    /// <summary>Returns the address of the part before this one in the list.</summary>
    public string? PreviousPage => OldestFirst ? OlderPage : NewerPage;

    /// <summary>Returns the address of the part after this one in the list.</summary>
    public string? NextPage => OldestFirst ? NewerPage : OlderPage;

    private string? OlderPage => HasOlder && Items.Count > 0 ? Address("before", Items.Min(one => one.Id)) : null;

    private string? NewerPage => HasNewer && Items.Count > 0 ? Address("after", Items.Max(one => one.Id)) : null;

    /// <summary>Returns the address of the first part, in an order and of a type.</summary>
    public string First(bool oldestFirst, string? type) => Link.Query(
        ("tab", Tab), Order(oldestFirst), ("type", type), Query.Size(PageSize));

    private string Address(string bound, long id) => Link.Query(
        ("tab", Tab),
        Order(OldestFirst),
        ("type", Type),
        Query.Size(PageSize),
        (bound, $"{id}"));

    private (string Name, string? Value) Order(bool oldestFirst) => ("order", oldestFirst == IsTimeline ? null : oldestFirst ? "oldest" : "newest");

    private static async Task<long?> FindAsync(ScreenRequest request)
    {
        if (long.TryParse(request.Query.Text("at"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id))
        {
            return id;
        }

        try
        {
            return await request.Rows.FindEventAtAsync(request.Id, request.Query.Time("at")!.Value).ConfigureAwait(false);
        }
        catch (BadQueryException)
        {
            throw new BadQueryException("at", "must be the id of an event, or a time such as 2026-11-27T08:30, in UTC or with an offset");
        }
    }

    private static long Previous(long id) => id == long.MinValue ? id : id - 1;
}

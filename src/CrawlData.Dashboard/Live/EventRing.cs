namespace CrawlData.Dashboard.Live;

/// <summary>A run's last events, as many as fit into a number of bytes. It is not thread-safe.</summary>
/// <param name="maxBytes">The most bytes of all events.</param>
internal sealed class EventRing(int maxBytes)
{
    /// <summary>The most events of a frame.</summary>
    public const int FrameEvents = 500;

    /// <summary>The most bytes of a frame's JSON.</summary>
    public const int FrameBytes = 64 * 1024;

    // What an event costs beside its bytes.
    private const int Overhead = 64;

    private readonly List<LiveEvent> events = [];
    private int first;
    private long bytes;

    /// <summary>Gets the id of the last event that is missing at the beginning; null when none is missing.</summary>
    private long? missingId;

    /// <summary>Gets the id of the newest event; null before the first.</summary>
    public long? LastId { get; private set; }

    /// <summary>Says that the events up to one are missing: the ring begins after it.</summary>
    public void Skip(long id) => (missingId, LastId) = (id, id);

    /// <summary>Adds the next event. Older ones leave.</summary>
    public void Add(LiveEvent added)
    {
        events.Add(added);
        LastId = added.Id;
        for (bytes += Cost(added); bytes > maxBytes; first++)
        {
            bytes -= Cost(events[first]);
            missingId = events[first].Id;
            events[first] = default;
        }

        if (first > events.Count / 2)
        {
            events.RemoveRange(0, first);
            first = 0;
        }
    }

    /// <summary>Returns what a viewer gets after an event.</summary>
    /// <param name="afterId">The last event that the viewer has; null for none.</param>
    public LiveFrame Next(long? afterId)
    {
        if (missingId is not null && !(afterId >= missingId))
        {
            return new LiveFrame([], LastId);
        }

        // The ids rise.
        var (low, high) = (first, events.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = events[middle].Id > (afterId ?? long.MinValue) ? (low, middle) : (middle + 1, high);
        }

        // The array's brackets, and a comma for each event.
        var size = 2;
        var end = low;
        while (end < events.Count && end - low < FrameEvents && (size += events[end].Json.Length + 1) <= FrameBytes)
        {
            end++;
        }

        return new LiveFrame(events.GetRange(low, end - low), null);
    }

    private static int Cost(LiveEvent one) => one.Json.Length + Overhead;
}

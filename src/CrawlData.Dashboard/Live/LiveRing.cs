namespace CrawlData.Dashboard.Live;

/// <summary>The last items of a stream, as many as fit into a number of bytes. Their ids rise. It is not thread-safe.</summary>
/// <param name="maxBytes">The most bytes of all items.</param>
internal sealed class LiveRing(int maxBytes)
{
    /// <summary>The most items of a frame.</summary>
    public const int FrameItems = 500;

    /// <summary>The most bytes of a frame's JSON.</summary>
    public const int FrameBytes = 64 * 1024;

    // What an item costs beside its bytes.
    private const int Overhead = 64;

    private readonly List<LiveItem> items = [];
    private int first;
    private long bytes;

    /// <summary>Gets the id of the last item that is missing at the beginning; null when none is missing.</summary>
    private long? missingId;

    /// <summary>Gets the id of the newest item; null before the first.</summary>
    public long? LastId { get; private set; }

    /// <summary>Says that the items up to one are missing: the ring begins after it.</summary>
    public void Skip(long id) => (missingId, LastId) = (id, id);

    /// <summary>Adds the next item. Older ones leave.</summary>
    public void Add(LiveItem added)
    {
        items.Add(added);
        LastId = added.Id;
        for (bytes += Cost(added); bytes > maxBytes; first++)
        {
            bytes -= Cost(items[first]);
            missingId = items[first].Id;
            items[first] = default;
        }

        if (first > items.Count / 2)
        {
            items.RemoveRange(0, first);
            first = 0;
        }
    }

    /// <summary>Returns what a viewer gets after an item.</summary>
    /// <param name="afterId">The last item that the viewer has; null for none.</param>
    public LiveFrame Next(long? afterId)
    {
        if (missingId is not null && !(afterId >= missingId))
        {
            return new LiveFrame([], LastId);
        }

        // The ids rise.
        var (low, high) = (first, items.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = items[middle].Id > (afterId ?? long.MinValue) ? (low, middle) : (middle + 1, high);
        }

        // The array's brackets, and a comma for each item.
        var size = 2;
        var end = low;
        while (end < items.Count && end - low < FrameItems && (size += items[end].Json.Length + 1) <= FrameBytes)
        {
            end++;
        }

        return new LiveFrame(items.GetRange(low, end - low), null);
    }

    private static int Cost(LiveItem one) => one.Json.Length + Overhead;
}

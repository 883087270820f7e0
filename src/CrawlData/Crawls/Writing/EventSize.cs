namespace CrawlData.Crawls;

/// <summary>A number of events, and the bytes of their payloads.</summary>
internal readonly record struct EventSize(int Events, long Bytes)
{
    public static EventSize operator +(EventSize one, EventSize other) => new(one.Events + other.Events, one.Bytes + other.Bytes);

    public static EventSize operator -(EventSize one, EventSize other) => new(one.Events - other.Events, one.Bytes - other.Bytes);

    /// <summary>Whether it reaches one of the capacities of a buffer.</summary>
    public bool Fills(CrawlEventWriterOptions options) => Events >= options.Capacity || Bytes >= options.CapacityBytes;
}

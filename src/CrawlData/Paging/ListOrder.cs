namespace CrawlData;

/// <summary>The order of a listing.</summary>
public enum ListOrder
{
    /// <summary>By the time of creation, the newest row first.</summary>
    NewestFirst,

    /// <summary>By the time of creation, the oldest row first.</summary>
    OldestFirst,
}

namespace CrawlData;

/// <summary>In which order a listing goes.</summary>
public enum ListOrder
{
    /// <summary>By the time of creation, the latest first.</summary>
    NewestFirst,

    /// <summary>By the time of creation, the earliest first.</summary>
    OldestFirst,
}

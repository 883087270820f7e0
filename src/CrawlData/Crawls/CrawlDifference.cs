namespace CrawlData.Crawls;

/// <summary>A key in which two crawls differ.</summary>
public sealed record CrawlDifference
{
    /// <summary>Whether the key was added, removed or changed.</summary>
    public required CrawlDifferenceKind Kind { get; init; }

    /// <summary>The type of the events.</summary>
    public required string EventType { get; init; }

    /// <summary>The key, such as a URL. A key that is not a JSON string is given as JSON.</summary>
    public required string Key { get; init; }

    /// <summary>The id of the older crawl's last event with the key; null when the key was added.</summary>
    public long? OlderEventId { get; init; }

    /// <summary>The id of the newer crawl's last event with the key; null when the key was removed.</summary>
    public long? NewerEventId { get; init; }

    /// <summary>The properties of the payloads that differ, in alphabetical order; empty unless the key changed.</summary>
    public required IReadOnlyList<string> ChangedProperties { get; init; }
}

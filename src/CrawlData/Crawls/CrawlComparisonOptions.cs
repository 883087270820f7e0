namespace CrawlData.Crawls;

/// <summary>Chooses what <see cref="CrawlEventRepository.CompareAsync"/> compares.</summary>
public sealed record CrawlComparisonOptions
{
    internal static readonly CrawlComparisonOptions Default = new();

    /// <summary>The property of the payloads that is the key, compared as text. Events without it are left out.</summary>
    /// <value>The default is <c>url</c>.</value>
    /// <exception cref="InvalidValueException">The name holds U+0000 or a lone surrogate.</exception>
    public string Key { get; init => field = CrawledText.Require(value, "key"); } = "url";

    /// <summary>Only events of one of these types, compared exactly. An empty collection matches no event.</summary>
    /// <value>The default is null: all types.</value>
    /// <exception cref="InvalidValueException">One of the types holds U+0000 or a lone surrogate.</exception>
    public IReadOnlyCollection<string>? EventTypes
    {
        get;
        init => field = value?.Select(eventType => CrawledText.Require(eventType, "event_types")).ToArray();
    }

    /// <summary>The properties of the payloads that are compared. Leave out those that differ in each crawl, such as durations.</summary>
    /// <value>The default is null: all properties. An empty collection compares the keys alone.</value>
    /// <exception cref="InvalidValueException">One of the names holds U+0000 or a lone surrogate.</exception>
    public IReadOnlyCollection<string>? Properties
    {
        get;
        init => field = value?.Select(property => CrawledText.Require(property, "properties")).ToArray();
    }
}

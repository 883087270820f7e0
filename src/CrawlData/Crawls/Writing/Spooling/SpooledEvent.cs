namespace CrawlData.Crawls;

/// <summary>An event in a spool.</summary>
internal sealed class SpooledEvent
{
    /// <summary>Its position among all events of the spool.</summary>
    public required long Sequence { get; init; }

    public required Guid CrawlId { get; init; }

    public required NewCrawlEvent Event { get; init; }

    /// <summary>The number of the claim under which it was written; null when it was written without one.</summary>
    public int? Claim { get; init; }

    /// <summary>The segment that has it; null when it is not on disk, or when it is stored or taken.</summary>
    public SpoolSegment? Segment { get; set; }

    public int PayloadBytes => Event.Payload.Utf8.Length;

    /// <summary>About how many bytes it takes in a file.</summary>
    public int Bytes => PayloadBytes + Event.EventType.Length + 64;
}

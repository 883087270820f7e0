namespace CrawlData.Crawls;

/// <summary>What a follower reads.</summary>
/// <param name="Page">The events. Followers at one position share them.</param>
internal sealed record FollowedPage(EventPage Page)
{
    /// <summary>Whether further events may be stored already.</summary>
    public bool IsBehind { get; init; }

    /// <summary>Whether the run had ended when the events were read.</summary>
    public bool HasEnded { get; init; }

    /// <summary>The notifications that came before the read.</summary>
    public long Notifications { get; init; }
}

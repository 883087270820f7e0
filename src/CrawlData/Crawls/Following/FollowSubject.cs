namespace CrawlData.Crawls;

/// <summary>What followers follow: all crawls, or the crawls of one tag, which is nearly always one crawl. The hub's lock protects it.</summary>
internal sealed class FollowSubject
{
    // The check makes a read an eighth longer. So one of this many reads checks.
    private const int ReadsPerCheck = 32;

    private int reads;

    /// <summary>The number of followers.</summary>
    public int Followers { get; set; }

    /// <summary>The number of notifications that came.</summary>
    public long Notifications { get; set; }

    /// <summary>Counts a read.</summary>
    /// <returns>Whether it is to check the sequence of ids.</returns>
    public bool CountRead() => ++reads % ReadsPerCheck == 0;
}

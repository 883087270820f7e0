namespace CrawlData.Tests.Faults.Checker;

/// <summary>An event of a crawl, or a line of a session's log, as it is stored or was delivered.</summary>
internal readonly record struct StoredRow(Guid Parent, long Id, EventKey Key)
{
    public override string ToString() => $"id {Id} {Key} of {Parent.ToString()[^6..]}";
}

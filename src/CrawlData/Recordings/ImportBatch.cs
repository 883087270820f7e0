using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;

namespace CrawlData.Recordings;

/// <summary>Rows of a recording that are stored together.</summary>
/// <param name="firstLine">The line at which it begins.</param>
internal sealed class ImportBatch(long firstLine)
{
    private const int LargestRows = 1_000;
    private const long LargestBytes = 4 * 1024 * 1024;

    private long bytes;

    public long FirstLine => firstLine;

    public List<(Guid CrawlId, NewCrawlEvent Event)> Events { get; } = [];

    public List<(Guid SessionId, NewAuditPage Page)> Pages { get; } = [];

    public List<(Guid SessionId, NewArtifact Artifact, Instant? DeletedAt)> Artifacts { get; } = [];

    public List<(Guid SessionId, NewCrawlLog Line)> Logs { get; } = [];

    public bool IsFull => Events.Count + Pages.Count + Artifacts.Count + Logs.Count >= LargestRows || bytes >= LargestBytes;

    /// <summary>Notes a line whose row was added.</summary>
    public void NoteLine(int lineBytes) => bytes += lineBytes;

    /// <summary>Adds the batch to a total.</summary>
    public RecordingProgress AddTo(RecordingProgress total) => total with
    {
        Events = total.Events + Events.Count,
        Pages = total.Pages + Pages.Count,
        Artifacts = total.Artifacts + Artifacts.Count,
        Logs = total.Logs + Logs.Count,
    };
}

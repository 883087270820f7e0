using CrawlData.Crawls;
using CrawlData.Dashboard.Reads;
using Microsoft.Extensions.Logging;

namespace CrawlData.Dashboard.Live;

/// <summary>Where live runs get their events.</summary>
internal sealed class LiveSource
{
    /// <summary>Gets a function that reads a run's newest events, redacted, with the newest first; null when there is no such run.</summary>
    public required Func<Guid, CancellationToken, Task<Page<CrawlEvent>?>> ReadNewestAsync { get; init; }

    /// <summary>Gets the application's repository. Its followers share their statements.</summary>
    public required CrawlEventRepository Events { get; init; }

    /// <summary>Gets how the followers wait.</summary>
    public required CrawlEventFollowOptions Options { get; init; }

    /// <summary>Gets the redaction of the followers' events.</summary>
    public required Redaction Redaction { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}

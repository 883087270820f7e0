using Microsoft.Extensions.Logging;

namespace CrawlData.Dashboard.Live;

/// <summary>What followers follow: the events of runs, or the logs of sessions.</summary>
internal sealed class LiveSource
{
    /// <summary>Gets what an id names, for the log.</summary>
    public required string Noun { get; init; }

    /// <summary>Gets a function that finds where a follower begins; null when there is no such row.</summary>
    public required Func<Guid, CancellationToken, Task<LiveStart?>> BeginAsync { get; init; }

    /// <summary>Gets a function that follows a row from an id on, until it has ended, and throws <see cref="RowNotFoundException"/> once it is deleted. The
    /// items are redacted, and their ids rise.</summary>
    public required Func<Guid, long?, CancellationToken, IAsyncEnumerable<IReadOnlyList<LiveItem>>> Follow { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}

using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>A worker's claim of a run. <see cref="CrawlRunQueue.ClaimNextAsync"/> returns it, and the worker passes it with each change and each
/// event.</summary>
public sealed record CrawlRunClaim
{
    internal CrawlRunClaim(CrawlRun run, int number, int attempt) => (Run, Number, Attempt) = (run, number, attempt);

    /// <summary>The run, as it was claimed.</summary>
    public CrawlRun Run { get; }

    /// <summary>The fencing token: each claim of a run has a greater number than the claims before it.</summary>
    public int Number { get; }

    /// <summary>The number of the attempt: 1, and one more with each retry. A run that was released and claimed again is still at the same attempt.</summary>
    public int Attempt { get; }

    internal RowClaim ToRowClaim() => new(Number, OutlivesRun: false);
}

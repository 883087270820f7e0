namespace CrawlData.Crawls;

/// <summary>There is no such crawl: events were to be appended to it, or it was to be exported. Nothing of that call was stored, and a transaction of the
/// caller's is still usable.</summary>
public sealed class CrawlNotFoundException : CrawlDataException
{
    internal CrawlNotFoundException(IReadOnlyList<Guid> crawlIds)
        : base($"There is no crawl {string.Join(", ", crawlIds.Take(10))}{(crawlIds.Count > 10 ? $" and {crawlIds.Count - 10} more" : "")}.") =>
        CrawlIds = crawlIds;

    /// <summary>The ids that are not in <c>crawl_runs</c>.</summary>
    public IReadOnlyList<Guid> CrawlIds { get; }
}

/// <summary>A run with that id exists already. Nothing was stored, and a transaction of the caller's is aborted, as after any error of the server.</summary>
public sealed class CrawlAlreadyExistsException : CrawlDataException
{
    internal CrawlAlreadyExistsException(Guid crawlId, Exception innerException)
        : base($"Crawl {crawlId} exists already.", innerException) => CrawlId = crawlId;

    /// <summary>The id that is taken.</summary>
    public Guid CrawlId { get; }
}

/// <summary>A transition had to be applied and was refused: the run's status does not allow it. Nothing was changed.</summary>
public sealed class CrawlTransitionRefusedException : CrawlDataException
{
    internal CrawlTransitionRefusedException(CrawlRun run)
        : base($"Crawl {run.Id} is {run.Status.ToString().ToUpperInvariant()}, which does not allow the transition.") => Run = run;

    /// <summary>The run as it is.</summary>
    public CrawlRun Run { get; }
}

namespace CrawlData;

/// <summary>Thrown when a worker appends events under a claim that is lost: its run was released, was claimed again, or is no longer RUNNING. For example, the
/// worker was taken for dead. The call stored nothing. The caller's transaction is still usable.</summary>
public sealed class ClaimLostException : CrawlDataException
{
    internal ClaimLostException(Guid crawlId, int claim, int index)
        : base($"Claim {claim} of crawl {crawlId} is lost: the run was released, was claimed again, or is no longer RUNNING.") =>
        (CrawlId, Claim, Index) = (crawlId, claim, index);

    /// <summary>Gets the crawl.</summary>
    public Guid CrawlId { get; }

    /// <summary>Gets the number of the claim.</summary>
    public int Claim { get; }

    /// <summary>Gets the index of the first of the call's events that has the claim.</summary>
    public int Index { get; }
}

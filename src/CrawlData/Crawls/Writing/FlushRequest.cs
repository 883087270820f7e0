namespace CrawlData.Crawls;

/// <summary>A call of <see cref="CrawlEventWriter.FlushAsync(CancellationToken)"/>. It waits for the events that were written before it.</summary>
/// <param name="crawlId">The crawl whose events it waits for; null for all.</param>
/// <param name="sequence">Its position among all calls of the writer.</param>
internal sealed class FlushRequest(Guid? crawlId, long sequence)
{
    private readonly TaskCompletionSource completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<KeptEvent> taken = [];

    public long Sequence => sequence;

    public Task Completed => completed.Task;

    /// <summary>Whether it waits for the events of a crawl.</summary>
    public bool Concerns(Guid crawl) => crawlId is null || crawlId == crawl;

    /// <summary>Notes unstored events that a caller takes during the wait. The flush fails although they are no longer kept.</summary>
    public void NoteTaken(IEnumerable<KeptEvent> events) => taken.AddRange(events.Where(IsBefore));

    /// <summary>Completes the wait. It fails when events that were written before could not be stored.</summary>
    /// <param name="kept">The unstored events that the writer keeps.</param>
    public void Complete(UnstoredEvents kept)
    {
        var unstored = taken.Concat(kept.Of(crawlId).Where(IsBefore)).Select(one => one.ToPublic()).ToList();
        if (unstored.Count == 0)
        {
            completed.TrySetResult();
        }
        else
        {
            completed.TrySetException(new CrawlEventsNotStoredException(unstored));
        }
    }

    public void Cancel(CancellationToken cancellationToken) => completed.TrySetCanceled(cancellationToken);

    private bool IsBefore(KeptEvent one) => one.Entry.Sequence < sequence && Concerns(one.Entry.CrawlId);
}

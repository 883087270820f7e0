namespace CrawlData.Workers;

/// <summary>An item that a worker has claimed.</summary>
internal sealed class WorkItem<TClaim>
{
    private readonly Action lose;

    public WorkItem(TClaim claim)
    {
        // Not disposed: a heartbeat that is under way may report an item that has ended.
        var lost = new CancellationTokenSource();
        (Claim, Lost, lose) = (claim, lost.Token, lost.Cancel);
    }

    public TClaim Claim { get; }

    /// <summary>Cancelled when another worker has the item.</summary>
    public CancellationToken Lost { get; }

    /// <summary>Completes when the worker is done with the item.</summary>
    public Task Ended { get; set; } = Task.CompletedTask;

    public void Lose() => lose();
}

namespace CrawlData.Tests.Faults.Checker;

/// <summary>What a client knows of its operation.</summary>
internal enum Outcome
{
    /// <summary>The operation has not returned. At the end of a history: it never did.</summary>
    Pending,

    /// <summary>It returned.</summary>
    Acknowledged,

    /// <summary>It threw an error that means that nothing was done.</summary>
    Refused,

    /// <summary>It threw an error that leaves open whether it was done.</summary>
    Unknown,
}

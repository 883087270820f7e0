namespace CrawlData.Tests.Faults.Checker;

/// <summary>A worker's change of its session: it records findings, or ends its attempt.</summary>
internal sealed class AttemptOperation(int client, Guid session, int attempt, string change) : Operation(client)
{
    public Guid Session => session;

    public int Attempt => attempt;

    public bool Ends => change != "record findings";

    /// <summary>The status that it leads to.</summary>
    public string Status => change switch { "complete" => "completed", "fail" => "failed", "complete partially" => "partial", _ => "" };

    public TransitionOutcome Result { get; set; }

    public bool IsApplied => IsAcknowledged && Result == TransitionOutcome.Applied;

    /// <summary>Whether it was applied, or may have been.</summary>
    public bool MayBeApplied => IsApplied || (MayBeDone && !IsAcknowledged);

    protected override string Describe() => $"{change} {Short(session)} at attempt {attempt}: {Result}";
}

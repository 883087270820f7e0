namespace CrawlData.Tests.Faults.Checker;

/// <summary>A transition of a run's status.</summary>
internal sealed class StatusOperation(int client, Guid run, string transition) : Operation(client)
{
    public Guid Run => run;

    /// <summary>start, complete, fail or cancel.</summary>
    public string Transition => transition;

    public TransitionOutcome Result { get; set; }

    public bool IsStart => transition == "start";

    public bool IsApplied => IsAcknowledged && Result == TransitionOutcome.Applied;

    /// <summary>Whether it was applied, or may have been.</summary>
    public bool MayBeApplied => IsApplied || (MayBeDone && !IsAcknowledged);

    /// <summary>The status that it leads to.</summary>
    public string Status => transition switch { "start" => "RUNNING", "complete" => "COMPLETED", "fail" => "FAILED", _ => "CANCELLED" };

    protected override string Describe() => $"{transition} run {Short(run)}: {Result}";
}

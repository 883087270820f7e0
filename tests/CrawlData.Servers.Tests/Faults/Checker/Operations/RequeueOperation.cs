namespace CrawlData.Tests.Faults.Checker;

/// <summary>Puts a session that failed into the queue again.</summary>
internal sealed class RequeueOperation(int client, Guid session) : Operation(client)
{
    public Guid Session => session;

    public TransitionOutcome Result { get; set; }

    public bool MayBeApplied => MayBeDone && !(IsAcknowledged && Result != TransitionOutcome.Applied);

    protected override string Describe() => $"requeue {Short(session)}: {Result}";
}

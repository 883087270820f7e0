namespace CrawlData.Tests.Faults.Checker;

/// <summary>Claims a session. There may be none.</summary>
internal sealed class ClaimOperation(int client) : Operation(client)
{
    public Guid? Session { get; set; }

    public int Attempt { get; set; }

    protected override string Describe() => $"claim {(Session is { } session ? $"{Short(session)} for attempt {Attempt}" : "a session")}";
}

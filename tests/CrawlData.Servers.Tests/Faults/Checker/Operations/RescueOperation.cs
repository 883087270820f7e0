namespace CrawlData.Tests.Faults.Checker;

/// <summary>Rescues stale sessions. That ends their attempts.</summary>
internal sealed class RescueOperation(int client) : Operation(client)
{
    public IReadOnlyList<(Guid Session, int Attempt, string Status)> Rescued { get; set; } = [];

    protected override string Describe() => $"rescue [{List(Rescued.Select(one => $"{Short(one.Session)} at attempt {one.Attempt}: {one.Status}"))}]";
}

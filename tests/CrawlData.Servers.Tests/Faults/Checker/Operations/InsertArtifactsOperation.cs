namespace CrawlData.Tests.Faults.Checker;

/// <summary>Inserts artifacts into a session.</summary>
internal sealed class InsertArtifactsOperation(int client, Guid session, IReadOnlyList<Guid> ids, bool expired) : Operation(client)
{
    public Guid Session => session;

    public IReadOnlyList<Guid> Ids => ids;

    /// <summary>Whether their time of retention has passed. Otherwise it does not pass.</summary>
    public bool Expired => expired;

    protected override string Describe() => $"insert {(expired ? "expired" : "unexpired")} artifacts [{List(ids.Select(Short))}] into {Short(session)}";
}

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Inserts runs, sessions or pages.</summary>
internal sealed class InsertOperation(int client, string table, IReadOnlyList<Guid> ids) : Operation(client)
{
    public string Table => table;

    public IReadOnlyList<Guid> Ids => ids;

    /// <summary>Whether they are runs that ended long ago.</summary>
    public bool HaveEnded { get; init; }

    protected override string Describe() => $"insert into {table} [{List(ids.Select(Short))}]";
}

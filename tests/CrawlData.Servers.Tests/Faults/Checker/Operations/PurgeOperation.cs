namespace CrawlData.Tests.Faults.Checker;

/// <summary>A purge of rows of an age.</summary>
internal sealed class PurgeOperation(int client, string table, TimeSpan age) : Operation(client)
{
    public string Table => table;

    public TimeSpan Age => age;

    protected override string Describe() => $"purge {table} older than {age.TotalSeconds:0.000} s";
}

namespace CrawlData.Testing;

/// <summary>A server that one of the ways has brought up, and how to be rid of it.</summary>
/// <param name="ConnectionString">To its maintenance database, as a role that may create databases.</param>
/// <param name="Way">How it was had, for people to read.</param>
/// <param name="DatabasePrefix">What the names of this process's databases start with.</param>
/// <param name="StopAsync">Called once, when the process exits: leaves nothing behind.</param>
internal sealed record StartedServer(string ConnectionString, string Way, string DatabasePrefix, Func<ValueTask> StopAsync)
{
    /// <summary>The whole prefix on a server that nobody else uses, and its beginning on one that others use too.</summary>
    public const string OwnDatabasePrefix = "crawldata_test_";
}

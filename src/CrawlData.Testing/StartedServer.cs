namespace CrawlData.Testing;

/// <summary>A server that is running, and the way to stop it.</summary>
/// <param name="ConnectionString">Connects to the maintenance database, as a role that may create databases.</param>
/// <param name="Source">Describes where the server comes from, for people to read.</param>
/// <param name="DatabasePrefix">The start of the names of this process's databases.</param>
/// <param name="StopAsync">Stops the server and removes its data; on a named server, drops this process's databases. Called once, when the process
/// exits.</param>
internal sealed record StartedServer(string ConnectionString, string Source, string DatabasePrefix, Func<ValueTask> StopAsync)
{
    /// <summary>The prefix of database names on a server that only this process uses. On a named server, the prefix is longer and
    /// starts with this one.</summary>
    public const string OwnDatabasePrefix = "crawldata_test_";
}

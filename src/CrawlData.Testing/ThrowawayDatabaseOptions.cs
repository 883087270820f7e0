using Microsoft.Extensions.Logging;

namespace CrawlData.Testing;

/// <summary>Options of <see cref="ThrowawayDatabase.StartAsync"/>.</summary>
public sealed class ThrowawayDatabaseOptions
{
    /// <summary>Gets whether the database has CrawlData's schema. Otherwise it is empty.</summary>
    /// <value>The default is true.</value>
    public bool Migrate { get; init; } = true;

    /// <summary>Gets whether the server's programs may be fetched, if no server was found. <c>CRAWLDATA_POSTGRES_FETCH=off</c> turns it off too. Only the call
    /// that starts the server uses it.</summary>
    /// <value>The default is true.</value>
    public bool Fetch { get; init; } = true;

    /// <summary>Gets the logger for the line that names the server, at <see cref="LogLevel.Information"/>, once in a process. It also gets the steps of a
    /// container's start, and a line before programs are fetched. Only the call that starts the server uses it.</summary>
    /// <value>The default is null: the lines on the server and on fetched programs go to standard error.</value>
    public ILogger? Logger { get; init; }
}

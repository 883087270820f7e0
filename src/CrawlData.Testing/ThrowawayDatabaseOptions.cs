using Microsoft.Extensions.Logging;

namespace CrawlData.Testing;

/// <summary>What <see cref="ThrowawayDatabase.StartAsync"/> does beyond its defaults.</summary>
public sealed class ThrowawayDatabaseOptions
{
    /// <summary>Whether the database holds CrawlData's schema: by default it does. <see langword="false"/> gives an empty database.</summary>
    public bool Migrate { get; init; } = true;

    /// <summary>Is told, at <see cref="LogLevel.Information"/> and once a process, which server was taken and why; also of the steps of a container's start.
    /// Without it that one line goes to standard error. Only the call that starts the server uses it.</summary>
    public ILogger? Logger { get; init; }
}

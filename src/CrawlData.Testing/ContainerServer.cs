using System.Security.Cryptography;
using DotNet.Testcontainers.Configurations;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Testcontainers.PostgreSql;

namespace CrawlData.Testing;

/// <summary>Starts a server in a container. A normal exit of this process removes it. When this process is killed, Testcontainers' Ryuk removes it; without
/// Ryuk, it stays.</summary>
internal static class ContainerServer
{
    // Long enough to pull an image. Testcontainers itself would wait an hour for a container that never becomes ready.
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan PingLimit = TimeSpan.FromSeconds(3);

    /// <summary>Whether Testcontainers finds a container engine. It looks once in a process, with the first call. An engine that starts later is not
    /// found.</summary>
    public static async Task<bool> EngineAnswersAsync(CancellationToken cancellationToken)
    {
        var ping = Task.Run(() => TestcontainersSettings.OS.DockerEndpointAuthConfig is not null, cancellationToken);
        var answered = await Task.WhenAny(ping, Task.Delay(PingLimit, cancellationToken)).ConfigureAwait(false) == ping;
        cancellationToken.ThrowIfCancellationRequested();
        return answered && await ping.ConfigureAwait(false);
    }

    /// <summary>Starts a container of an image.</summary>
    public static async Task<StartedServer> StartAsync(string image, ILogger? logger, CancellationToken cancellationToken)
    {
        // Without Ryuk, disposal only stops the container. With this setting, the engine then removes it.
        var builder = new PostgreSqlBuilder(image)
            .WithPassword(RandomNumberGenerator.GetHexString(32))
            .WithAutoRemove(true)
            .WithLogger(logger ?? NullLogger.Instance);
        foreach (var (name, value) in ServerSettings.All)
        {
            builder = builder.WithCommand("-c", $"{name}={value}");
        }

        var container = builder.Build();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(StartLimit);
            await container.StartAsync(limit.Token).ConfigureAwait(false);
        }
        catch
        {
            await container.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        return new(
            container.GetConnectionString(),
            $"container of {image}",
            StartedServer.OwnDatabasePrefix,
            container.DisposeAsync);
    }
}

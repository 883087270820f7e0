using Microsoft.Extensions.Logging;

namespace CrawlData.Testing;

/// <summary>Which server to take. A variable that is set (not to nothing) is an order: when it cannot be honoured, that is the error, and nothing else is
/// tried.</summary>
internal static class ServerSearch
{
    public const string ConnectionVariable = "CRAWLDATA_TEST_CONNECTION";
    public const string ImageVariable = "CRAWLDATA_POSTGRES_IMAGE";
    public const string BinariesVariable = "CRAWLDATA_POSTGRES_BIN";
    public const string DefaultImage = "postgres:18-alpine";

    public static async Task<StartedServer> StartAsync(Func<string, string?> environment, ILogger? logger, CancellationToken cancellationToken)
    {
        if (Order(ConnectionVariable) is { } connectionString)
        {
            return await NamedServer.StartAsync(connectionString, cancellationToken).ConfigureAwait(false);
        }

        if (Order(ImageVariable) is { } image)
        {
            if (!await ContainerServer.EngineAnswersAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new ThrowawayServerException($"{ImageVariable} is {image}, but no container engine answers.");
            }

            try
            {
                return await ContainerServer.StartAsync(image, logger, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                throw new ThrowawayServerException($"{ImageVariable} is {image}, but no container of it starts: {FirstLine(exception)}", exception);
            }
        }

        if (Order(BinariesVariable) is { } folder)
        {
            var ordered = PostgresBinaries.In(folder)
                ?? throw new ThrowawayServerException($"{BinariesVariable} is {folder}, but there are no initdb, pg_ctl and postgres that run.");
            return await LocalServer.StartAsync(ordered, cancellationToken).ConfigureAwait(false);
        }

        Exception? containerFailure = null;
        if (await ContainerServer.EngineAnswersAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                return await ContainerServer.StartAsync(DefaultImage, logger, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                // Nobody asked for a container, so binaries will do as well. The reason goes along, into the log line or the error.
                containerFailure = exception;
            }
        }

        var whyNoContainer = containerFailure is null
            ? "no container engine answers"
            : $"no container of {DefaultImage} starts: {FirstLine(containerFailure)}";
        if (PostgresBinaries.Find(environment) is not { } found)
        {
            throw new ThrowawayServerException($"There is no PostgreSQL here: {whyNoContainer}; and no server binaries were found.", containerFailure);
        }

        var local = await LocalServer.StartAsync(found, cancellationToken).ConfigureAwait(false);
        return containerFailure is null ? local : local with { Way = $"{local.Way} ({whyNoContainer})" };

        string? Order(string variable) => environment(variable) is { Length: > 0 } value ? value : null;
    }

    private static string FirstLine(Exception exception) => exception.Message.Split('\n', 2)[0].TrimEnd();
}

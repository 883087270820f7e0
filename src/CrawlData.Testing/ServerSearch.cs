namespace CrawlData.Testing;

/// <summary>Chooses and starts the server. An environment variable that is set and not empty must work: otherwise the search fails, and tries nothing
/// else.</summary>
internal static class ServerSearch
{
    public const string ConnectionVariable = "CRAWLDATA_TEST_CONNECTION";
    public const string ImageVariable = "CRAWLDATA_POSTGRES_IMAGE";
    public const string BinariesVariable = "CRAWLDATA_POSTGRES_BIN";
    public const string DefaultImage = "postgres:18-alpine";

    /// <summary>Starts the first server that applies: a named server, an image, a folder of programs, the default image, the newest programs found, fetched
    /// programs.</summary>
    /// <param name="environment">Gets an environment variable.</param>
    /// <param name="options">Whether programs may be fetched, and the logger.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <exception cref="ThrowawayServerException">The server of a variable cannot be used, or no server was found.</exception>
    public static async Task<StartedServer> StartAsync(
        Func<string, string?> environment, ThrowawayDatabaseOptions options, CancellationToken cancellationToken)
    {
        if (Read(ConnectionVariable) is { } connectionString)
        {
            return await NamedServer.StartAsync(connectionString, cancellationToken).ConfigureAwait(false);
        }

        if (Read(ImageVariable) is { } image)
        {
            if (!await ContainerServer.EngineAnswersAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new ThrowawayServerException($"{ImageVariable} is {image}, but no container engine answers.");
            }

            try
            {
                return await ContainerServer.StartAsync(image, options.Logger, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                throw new ThrowawayServerException($"{ImageVariable} is {image}, but no container of it starts: {FirstLine(exception)}", exception);
            }
        }

        if (Read(BinariesVariable) is { } folder)
        {
            var named = await PostgresBinaries.InAsync(folder, cancellationToken).ConfigureAwait(false)
                ?? throw new ThrowawayServerException($"{BinariesVariable} is {folder}, but initdb, pg_ctl or postgres is missing there, or does not run.");
            return await LocalServer.StartAsync(named, cancellationToken).ConfigureAwait(false);
        }

        Exception? containerFailure = null;
        if (await ContainerServer.EngineAnswersAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                return await ContainerServer.StartAsync(DefaultImage, options.Logger, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                // No variable asks for a container, so server programs are tried next. The log line, or the error, reports this failure.
                containerFailure = exception;
            }
        }

        var containerProblem = containerFailure is null
            ? "no container engine answers"
            : $"no container of {DefaultImage} starts: {FirstLine(containerFailure)}";
        var (found, skipped) = await PostgresBinaries.FindAsync(environment, cancellationToken).ConfigureAwait(false);
        if (found is null)
        {
            var others = string.Concat(skipped.Select(path => $" Another user can change {path}, so no program there was run."));
            var problem = $"No PostgreSQL server was found: {containerProblem}, and there are no server programs.{others}";

            try
            {
                found = await FetchedBinaries.GetAsync(environment, options, cancellationToken).ConfigureAwait(false);
            }
            catch (FetchException exception)
            {
                throw new ThrowawayServerException($"{problem} {exception.Message}", containerFailure ?? exception);
            }
        }

        var local = await LocalServer.StartAsync(found, cancellationToken).ConfigureAwait(false);
        return containerFailure is null ? local : local with { Source = $"{local.Source} ({containerProblem})" };

        string? Read(string variable) => environment(variable) is { Length: > 0 } value ? value : null;
    }

    private static string FirstLine(Exception exception) => exception.Message.Split('\n', 2)[0].TrimEnd();
}

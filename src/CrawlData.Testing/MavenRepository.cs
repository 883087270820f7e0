using MysticMind.PostgresEmbed;

namespace CrawlData.Testing;

/// <summary>A Maven repository with zonky's server programs. MysticMind.PostgresEmbed fetches them.</summary>
/// <param name="Name">The repository's name, for people to read.</param>
/// <param name="Url">The repository's URL.</param>
internal sealed record MavenRepository(string Name, string Url)
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FetchLimit = TimeSpan.FromMinutes(10);

    /// <summary>Gets Maven Central.</summary>
    public static MavenRepository Central { get; } = new("Maven Central", PgServerOptions.DefaultMavenRepo);

    /// <summary>Gets a mirror. Its name has neither the user nor the password of the URL.</summary>
    public static MavenRepository Mirror(Uri url) =>
        new($"the mirror {url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)}", url.AbsoluteUri);

    /// <summary>Fetches the programs.</summary>
    /// <param name="folder">An empty folder. A later attempt gets another one, so that it finds nothing of an earlier one.</param>
    /// <param name="announce">Gets the repository's name and the size in bytes, before the download.</param>
    /// <param name="cancellationToken">Cancels the download.</param>
    /// <returns>The folder with the folders bin, lib and share.</returns>
    /// <exception cref="FetchException">The programs cannot be fetched.</exception>
    public async Task<string> FetchAsync(string folder, Action<string, long?> announce, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(FetchLimit);
        using var handler = new MavenHandler(new SocketsHttpHandler { ConnectTimeout = ConnectLimit });
        using var client = new HttpClient(handler) { Timeout = FetchLimit };
        try
        {
            var server = new PgServer(new PgServerOptions
            {
                PgVersion = FetchedBinaries.Version,
                MavenRepo = Url,
                BinariesDir = folder,
                DbDir = folder,
                RequireChecksum = true,
                DownloadRetryCount = 1,
                HttpClient = client,
                InstallProgress = new FirstDownload(bytes => announce(Name, bytes)),
            });
            await using (server.ConfigureAwait(false))
            {
                await server.InstallAsync(limit.Token).ConfigureAwait(false);
                return server.InstallDir;
            }
        }
        catch (UnsupportedPlatformException exception)
        {
            throw new FetchException(FetchFailure.Missing, $"{Name} has no PostgreSQL for this machine: {exception.Message}", exception);
        }
        catch (PostgresEmbedException exception) when (exception.InnerException is FetchException refusal)
        {
            throw new FetchException(refusal.Failure, $"{Name} {refusal.Message}", exception);
        }
        catch (PostgresEmbedException exception) when (exception.InnerException is HttpRequestException cause)
        {
            throw new FetchException(FetchFailure.Unreachable, $"{Name} cannot be reached: {cause.Message}", exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new FetchException(FetchFailure.Unreachable, $"{Name} does not answer in time.", exception);
        }
        catch (Exception exception) when (
            exception is EndOfStreamException or not (IOException or UnauthorizedAccessException or OperationCanceledException))
        {
            // Of a broken archive the decompressor throws whatever it meets, such as an index that is out of range.
            throw new FetchException(FetchFailure.Broken, $"What {Name} sent is broken: {(exception.InnerException ?? exception).Message}", exception);
        }
    }
}

using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace CrawlData.Testing;

/// <summary>Fetches the server's programs, and keeps them for later processes of this user.</summary>
/// <remarks>
/// Programs are fetched into a folder of their own, checked, and moved to their place in one step. So a process that is killed leaves nothing that a later
/// process takes for whole. A lock file makes other processes wait, and then use what the first one fetched.
/// </remarks>
internal static class FetchedBinaries
{
    public const string FetchVariable = "CRAWLDATA_POSTGRES_FETCH";
    public const string MirrorVariable = "CRAWLDATA_POSTGRES_MIRROR";
    public const string CacheVariable = "CRAWLDATA_POSTGRES_CACHE";

    /// <summary>The value of <see cref="FetchVariable"/> that turns fetching off.</summary>
    public const string Off = "off";

    /// <summary>The version that is fetched.</summary>
    public const string Version = $"{Release}.0";

    private const string Release = "18.4";

    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode ReadByAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode RunByAll = ReadByAll | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    // What a lock that another process holds is on Linux (EAGAIN), macOS (EAGAIN) and Windows (ERROR_SHARING_VIOLATION).
    private static readonly int[] LockedResults = [11, 35, unchecked((int)0x80070020)];
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(200);

    /// <summary>Gets the programs from the cache. Fetches them first where they are not there.</summary>
    /// <param name="environment">Gets an environment variable.</param>
    /// <param name="options">Whether programs may be fetched, and the logger that gets a line before that.</param>
    /// <param name="cancellationToken">Cancels the download.</param>
    /// <exception cref="FetchException">Fetching is turned off, the programs cannot be fetched, or they do not run.</exception>
    /// <exception cref="ThrowawayServerException">A variable is malformed, or the cache cannot be used.</exception>
    public static Task<PostgresBinaries> GetAsync(
        Func<string, string?> environment, ThrowawayDatabaseOptions options, CancellationToken cancellationToken) =>
        GetAsync(environment, options, MavenRepository.Central, cancellationToken);

    /// <summary>Gets the programs from the cache. Fetches them first where they are not there.</summary>
    /// <param name="environment">Gets an environment variable.</param>
    /// <param name="options">Whether programs may be fetched, and the logger that gets a line before that.</param>
    /// <param name="central">The repository that is used unless a mirror is named.</param>
    /// <param name="cancellationToken">Cancels the download.</param>
    public static async Task<PostgresBinaries> GetAsync(
        Func<string, string?> environment, ThrowawayDatabaseOptions options, MavenRepository central, CancellationToken cancellationToken)
    {
        var setting = environment(FetchVariable);
        if (setting is not (null or "" or Off))
        {
            throw new ThrowawayServerException($"{FetchVariable} is {setting}. The only value is {Off}.");
        }

        if (setting is Off || !options.Fetch)
        {
            throw new FetchException(FetchFailure.Off, "Fetching is turned off.");
        }

        var mirror = Mirror(environment);
        var cache = CacheFolder(environment);
        var home = Path.Combine(cache, $"postgresql-{Version}-{RuntimeInformation.RuntimeIdentifier}");
        try
        {
            await PrepareAsync(cache, cancellationToken).ConfigureAwait(false);
            if (!Directory.Exists(home))
            {
                using var gate = await LockAsync(cache, options.Logger, cancellationToken).ConfigureAwait(false);
                if (!Directory.Exists(home))
                {
                    await StoreAsync(DownloadAsync, cache, home, options.Logger, cancellationToken).ConfigureAwait(false);
                }
            }

            return await InAsync(home, cancellationToken).ConfigureAwait(false)
                ?? throw new FetchException(FetchFailure.Broken, $"The programs that were fetched do not run{As()}. To fetch them again, delete {home}.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ThrowawayServerException($"Fetched server programs cannot be kept in {cache}: {exception.Message}", exception);
        }

        Task<string> DownloadAsync(string folder, Action<string, long?> announce) => mirror is null
            ? FetchAsync(central, environment, folder, announce, cancellationToken)
            : MavenRepository.Mirror(mirror).FetchAsync(folder, announce, cancellationToken);
    }

    private static async Task StoreAsync(
        Func<string, Action<string, long?>, Task<string>> fetchAsync, string cache, string home, ILogger? logger, CancellationToken cancellationToken)
    {
        // What killed processes left. No other process fetches now.
        foreach (var left in Directory.GetDirectories(cache, "fetch-*"))
        {
            Directory.Delete(left, recursive: true);
        }

        var folder = Path.Combine(cache, $"fetch-{Guid.NewGuid():N}");
        CreatePrivate(folder);
        try
        {
            var fetched = await fetchAsync(folder, Announce).ConfigureAwait(false);
            Open(fetched);
            SetMode(folder, RunByAll);
            if (await InAsync(fetched, cancellationToken).ConfigureAwait(false) is null)
            {
                throw new FetchException(FetchFailure.Broken, $"The programs that were fetched do not run{As()}. They are not kept.");
            }

            Directory.Move(fetched, home);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        void Announce(string source, long? bytes)
        {
            var size = bytes is { } count ? string.Create(CultureInfo.InvariantCulture, $"{count / 1e6:N1} MB") : "of unknown size";
            ServerLog.WriteFetch(
                logger,
                $"no PostgreSQL was found, so PostgreSQL {Release} is fetched from {source} ({size}) and kept in {cache}. "
                    + $"{FetchVariable}={Off} turns this off");
        }
    }

    /// <summary>Fetches from Maven Central, or with npm where that cannot be reached or has nothing.</summary>
    /// <returns>The folder with the folders bin, lib and share.</returns>
    private static async Task<string> FetchAsync(
        MavenRepository central, Func<string, string?> environment, string folder, Action<string, long?> announce, CancellationToken cancellationToken)
    {
        try
        {
            return await central.FetchAsync(folder, announce, cancellationToken).ConfigureAwait(false);
        }
        catch (FetchException maven) when (maven.Failure != FetchFailure.Broken)
        {
            var npm = await NpmClient.FindAsync(environment, cancellationToken).ConfigureAwait(false)
                ?? throw new FetchException(
                    maven.Failure, $"{maven.Message} npm was not tried: it is not on the PATH, or only where another user can change it.", maven);
            try
            {
                return await npm.FetchAsync(folder, announce, cancellationToken).ConfigureAwait(false);
            }
            catch (FetchException exception)
            {
                throw new FetchException(exception.Failure, $"{maven.Message} {exception.Message}", exception);
            }
        }
    }

    private static Uri? Mirror(Func<string, string?> environment)
    {
        if (environment(MirrorVariable) is not { Length: > 0 } value)
        {
            return null;
        }

        // The checksums come from the mirror too. So the connection must not be changed on its way.
        return Uri.TryCreate(value, UriKind.Absolute, out var mirror)
            && (mirror.Scheme == Uri.UriSchemeHttps || (mirror.Scheme == Uri.UriSchemeHttp && mirror.IsLoopback))
            ? mirror
            : throw new ThrowawayServerException($"{MirrorVariable} is not the https URL of a Maven repository. http is allowed on this machine only.");
    }

    // A server of root runs as another user, who must be able to enter the folder. So root's folder is not in its home.
    private static string CacheFolder(Func<string, string?> environment)
    {
        if (environment(CacheVariable) is { Length: > 0 } named)
        {
            return Path.GetFullPath(named);
        }

        var profile = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var parent = OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : OperatingSystem.IsMacOS() ? Path.Combine(Environment.IsPrivilegedProcess ? "/" : profile, "Library", "Caches")
            : Environment.IsPrivilegedProcess ? "/var/cache"
            : environment("XDG_CACHE_HOME") is { } home && Path.IsPathRooted(home) ? home
            : Path.Combine(profile, ".cache");
        return Path.GetFullPath(Path.Combine(parent, "crawldata"));
    }

    private static async Task PrepareAsync(string cache, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(cache))
        {
            CreatePrivate(cache);
            if (!OperatingSystem.IsWindows() && Environment.IsPrivilegedProcess)
            {
                SetMode(cache, RunByAll);
            }
        }

        var (_, changeable) = await FolderInspection.InspectAsync(cache, [], cancellationToken).ConfigureAwait(false);
        if (changeable is null && !OperatingSystem.IsWindows() && (File.GetUnixFileMode(cache) & UnixFileMode.OtherWrite) != 0)
        {
            changeable = cache;
        }

        if (changeable is not null)
        {
            throw new ThrowawayServerException($"Fetched server programs cannot be kept in {cache}: another user can change {changeable}.");
        }
    }

    private static async Task<FileStream> LockAsync(string cache, ILogger? logger, CancellationToken cancellationToken)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        for (var waits = false; ; waits = true)
        {
            try
            {
                return new FileStream(Path.Combine(cache, "lock"), options);
            }
            catch (IOException exception) when (LockedResults.Contains(exception.HResult))
            {
                if (!waits)
                {
                    ServerLog.WriteFetch(logger, $"another process fetches PostgreSQL {Release} into {cache}, so this one waits");
                }

                await Task.Delay(LockPoll, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task<PostgresBinaries?> InAsync(string home, CancellationToken cancellationToken)
    {
        var bin = Path.Combine(home, "bin");
        var (_, changeable) = await FolderInspection.InspectAsync(bin, PostgresBinaries.Programs, cancellationToken).ConfigureAwait(false);
        return changeable is null ? await PostgresBinaries.InAsync(bin, cancellationToken).ConfigureAwait(false) : null;
    }

    private static void CreatePrivate(string folder)
    {
        Directory.CreateDirectory(folder);
        SetMode(folder, Private);
    }

    /// <summary>Lets the server's user read all files and run the programs, and lets nobody but this user change them.</summary>
    private static void Open(string folder)
    {
        SetMode(folder, RunByAll);
        var all = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", all))
        {
            SetMode(entry.FullName, entry is DirectoryInfo || Path.GetFileName(Path.GetDirectoryName(entry.FullName)) == "bin" ? RunByAll : ReadByAll);
        }
    }

    private static void SetMode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }

    private static string As() => Environment.IsPrivilegedProcess && !OperatingSystem.IsWindows() ? $" as the user {ServerUser.Unprivileged}" : "";
}

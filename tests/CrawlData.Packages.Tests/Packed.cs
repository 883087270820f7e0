using System.IO.Compression;
using System.Text.RegularExpressions;
using CrawlData.Tests.Documentation;

namespace CrawlData.Packages.Tests;

/// <summary>The packages, packed once from a copy of the sources with a version of their own. Projects that use them lie outside the solution, and get
/// nothing of CrawlData but the packed files.</summary>
[SetUpFixture]
public sealed partial class Packed
{
    public const string RepositoryUrl = "https://github.com/example/crawldata";

    private static readonly Dictionary<string, string?> OnCi = new() { ["CI"] = "true" };
    private static string root = null!;

    public static string Version { get; } = $"0.2.0-test-{Guid.NewGuid():N}"[..20];

    /// <summary>The copied sources, committed.</summary>
    public static string Sources => Path.Combine(root, "sources");

    public static string Commit { get; private set; } = null!;

    /// <summary>The folder of *.nupkg and *.snupkg.</summary>
    public static string Feed => Path.Combine(root, "packages");

    public static string Consumers => Path.Combine(root, "consumers");

    public static ZipArchive Open(string id, string extension = "nupkg") => ZipFile.OpenRead(Path.Combine(Feed, $"{id}.{Version}.{extension}"));

    public static byte[] Read(ZipArchive package, string name)
    {
        using var entry = (package.GetEntry(name) ?? throw new AssertionException($"there is no {name}")).Open();
        using var bytes = new MemoryStream();
        entry.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>Packs as continuous integration does.</summary>
    public static Task<(int ExitCode, string Output)> TryPackAsync(string folder, string output, params string[] arguments) =>
        Command.TryAsync(folder, OnCi, Command.DotNet, ["pack", "--output", output, $"-p:Version={Version}", .. arguments]);

    /// <summary>Another folder with the same sources, of the same commit.</summary>
    public static async Task<string> CloneSourcesAsync()
    {
        var folder = Path.Combine(root, "another", "folder");
        await Command.RunAsync(root, "git", "clone", "--quiet", Sources, folder);
        await Command.RunAsync(folder, "git", "remote", "set-url", "origin", RepositoryUrl);
        return folder;
    }

    /// <summary>A fresh project from one of the SDK's templates, with packages of ours.</summary>
    public static async Task<string> CreateProjectAsync(string template, params string[] packages)
    {
        var folder = Path.Combine(Consumers, template);
        await Command.RunAsync(Consumers, Command.DotNet, "new", template, "--no-restore", "--output", folder);
        foreach (var package in packages)
        {
            await Command.RunAsync(folder, Command.DotNet, "add", "package", package, "--version", Version);
        }

        return folder;
    }

    /// <summary>The folder in which this machine has other packages.</summary>
    public static async Task<string> FindCacheAsync() =>
        (await Command.RunAsync(root, Command.DotNet, "nuget", "locals", "global-packages", "--list")).Split(": ", 2)[1].Trim();

    [OneTimeSetUp]
    public async Task PackAsync()
    {
        root = Directory.CreateTempSubdirectory("crawldata-packages-").FullName;
        Copy(new DirectoryInfo(Snippets.Root), Sources);
        await Command.RunAsync(Sources, "git", "init", "--quiet", "--initial-branch", "main");
        await Command.RunAsync(Sources, "git", "remote", "add", "origin", RepositoryUrl);
        await Command.RunAsync(Sources, "git", "add", "--all");
        await Command.RunAsync(
            Sources, "git", "-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=",
            "commit", "--quiet", "--message", "Copied");
        Commit = (await Command.RunAsync(Sources, "git", "rev-parse", "HEAD")).Trim();

        var (exitCode, output) = await TryPackAsync(Sources, Feed);
        Assert.That(exitCode, Is.Zero, output);
        Directory.CreateDirectory(Consumers);
        await File.WriteAllTextAsync(Path.Combine(Consumers, "nuget.config"), await NuGetConfigAsync());
    }

    [OneTimeTearDown]
    public void Delete() => Directory.Delete(root, recursive: true);

    // Our packages come from the folder alone, all others from where this machine has them.
    private static async Task<string> NuGetConfigAsync()
    {
        var cache = await FindCacheAsync();
        var sources = EnabledSource().Matches(await Command.RunAsync(root, Command.DotNet, "nuget", "list", "source"))
            .Select(source => $"""<packageSource key="{source.Groups["name"].Value}"><package pattern="*" /></packageSource>""");
        return $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{Path.Combine(root, "cache")}" /></config>
              <fallbackPackageFolders><add key="machine" value="{cache}" /></fallbackPackageFolders>
              <packageSources><add key="packed" value="{Feed}" /></packageSources>
              <packageSourceMapping>
                <packageSource key="packed"><package pattern="CrawlData*" /></packageSource>
                {string.Join('\n', sources)}
              </packageSourceMapping>
            </configuration>
            """;
    }

    [GeneratedRegex(@"^ +\d+\. +(?<name>.+) \[Enabled\]\r?$", RegexOptions.Multiline)]
    private static partial Regex EnabledSource();

    private static void Copy(DirectoryInfo from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in from.EnumerateFiles())
        {
            file.CopyTo(Path.Combine(to, file.Name));
        }

        foreach (var folder in from.EnumerateDirectories().Where(
            folder => folder.Name is not (".git" or "bin" or "obj" or "artifacts" or "packages" or "TestResults")))
        {
            Copy(folder, Path.Combine(to, folder.Name));
        }
    }
}

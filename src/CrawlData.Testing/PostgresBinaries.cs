using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace CrawlData.Testing;

/// <summary>A folder with the programs of a PostgreSQL server.</summary>
/// <param name="Folder">The folder.</param>
/// <param name="Major">The server's major version.</param>
/// <param name="Minor">The server's minor version; 0 for a version without one.</param>
internal sealed partial record PostgresBinaries(string Folder, int Major, int Minor)
{
    /// <summary>The names of the programs.</summary>
    public static readonly IReadOnlyList<string> Programs = ["initdb", "pg_ctl", "postgres"];

    private const int OldestMajor = 15;

    private static readonly TimeSpan VersionLimit = TimeSpan.FromSeconds(10);

    // The folders of Debian, Red Hat (PGDG's packages and its own), Homebrew and the Windows installer. * is the name of one folder, or a part of it.
    private static readonly string[] UsualFolders = OperatingSystem.IsWindows()
        ? [Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL", "*", "bin")]
        :
        [
            "/usr/lib/postgresql/*/bin",
            "/usr/pgsql-*/bin",
            "/usr/bin",
            "/opt/homebrew/opt/postgresql*/bin",
            "/usr/local/opt/postgresql*/bin",
            "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
        ];

    /// <summary>Finds the newest programs on the PATH or in a usual folder. On Unix no program of a folder runs that another user can change.</summary>
    /// <returns>The programs, null when no folder has programs of PostgreSQL 15 or later; and what other users can change.</returns>
    public static async Task<(PostgresBinaries? Newest, IReadOnlyList<string> Skipped)> FindAsync(
        Func<string, string?> environment, CancellationToken cancellationToken)
    {
        var folders = (environment("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Concat(UsualFolders.SelectMany(Expand))
            .Select(ResolveFolder)
            .Where(HasPrograms)
            .Distinct();
        var found = new List<PostgresBinaries>();
        var skipped = new List<string>();
        foreach (var folder in folders)
        {
            var (resolved, changeable) = await FolderInspection.InspectAsync(folder, Programs, cancellationToken).ConfigureAwait(false);
            if (changeable is not null)
            {
                skipped.Add(changeable);
            }
            else if (await InAsync(resolved, cancellationToken).ConfigureAwait(false) is { Major: >= OldestMajor } binaries)
            {
                found.Add(binaries);
            }
        }

        return (found.MaxBy(binaries => (binaries.Major, binaries.Minor)), skipped);
    }

    /// <summary>Finds the programs of one folder, of any version.</summary>
    /// <returns>The programs; null when a program is missing, or does not run.</returns>
    public static Task<PostgresBinaries?> InAsync(string folder, CancellationToken cancellationToken) =>
        InAsync(folder, VersionLimit, cancellationToken);

    /// <summary>Finds the programs of one folder, of any version.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="limit">The longest that the server may take to print its version.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The programs; null when a program is missing, or does not run.</returns>
    public static async Task<PostgresBinaries?> InAsync(string folder, TimeSpan limit, CancellationToken cancellationToken)
    {
        var resolved = ResolveFolder(folder);
        if (!HasPrograms(resolved))
        {
            return null;
        }

        var match = VersionPattern().Match(await VersionLineAsync(FileOf(resolved, "postgres"), limit, cancellationToken).ConfigureAwait(false));
        return match.Success
            ? new(resolved, int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture),
                match.Groups[2].Success ? int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) : 0)
            : null;
    }

    /// <summary>Gets the path of a program.</summary>
    public string FileOf(string program) => FileOf(Folder, program);

    private static string FileOf(string folder, string program) => Path.Combine(folder, OperatingSystem.IsWindows() ? program + ".exe" : program);

    // A folder may have only a link to the server. The other programs are then beside the link's target.
    private static string ResolveFolder(string folder)
    {
        var server = FileOf(folder, "postgres");
        return File.Exists(server) && File.ResolveLinkTarget(server, returnFinalTarget: true) is { } target ? Path.GetDirectoryName(target.FullName)! : folder;
    }

    private static IEnumerable<string> Expand(string pattern)
    {
        var star = pattern.IndexOf('*', StringComparison.Ordinal);
        if (star < 0)
        {
            return [pattern];
        }

        var parent = Path.GetDirectoryName(pattern[..star])!;
        var name = pattern[(parent.Length + 1)..].Split(Path.DirectorySeparatorChar)[0];
        var below = pattern[(parent.Length + 1 + name.Length + 1)..];
        // This user may not be able to read the parent.
        return Directory.Exists(parent)
            ? Directory.EnumerateDirectories(parent, name, new EnumerationOptions { IgnoreInaccessible = true }).Select(folder => Path.Combine(folder, below))
            : [];
    }

    private static bool HasPrograms(string folder) => Programs.All(program => File.Exists(FileOf(folder, program)));

    private static async Task<string> VersionLineAsync(string server, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ended.CancelAfter(limit);
        try
        {
            using var process = Process.Start(ServerUser.Start(server, "--version"))!;
            try
            {
                return await process.StandardOutput.ReadToEndAsync(ended.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                cancellationToken.ThrowIfCancellationRequested();
                return "";
            }
        }
        catch (Win32Exception)
        {
            // The program is for another machine, or the server's user may not run it. It counts as missing.
            return "";
        }
    }

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)(?:\.(\d+))?")]
    private static partial Regex VersionPattern();
}

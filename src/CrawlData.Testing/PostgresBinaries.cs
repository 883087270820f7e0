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
    private const int OldestMajor = 15;
    private static readonly string[] Programs = ["initdb", "pg_ctl", "postgres"];

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

    /// <summary>Finds the newest programs on the PATH or in a usual folder.</summary>
    /// <returns>The programs; null when no folder has programs of PostgreSQL 15 or later.</returns>
    public static PostgresBinaries? Find(Func<string, string?> environment) =>
        (environment("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Concat(UsualFolders.SelectMany(Expand))
            .Select(ResolveFolder)
            .Distinct()
            .Select(In)
            .Where(binaries => binaries?.Major >= OldestMajor)
            .MaxBy(binaries => (binaries!.Major, binaries.Minor));

    /// <summary>Finds the programs of one folder, of any version.</summary>
    /// <returns>The programs; null when a program is missing or does not run.</returns>
    public static PostgresBinaries? In(string folder)
    {
        var resolved = ResolveFolder(folder);
        if (!Programs.All(program => File.Exists(FileOf(resolved, program))))
        {
            return null;
        }

        var match = VersionPattern().Match(VersionLine(FileOf(resolved, "postgres")));
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
        return Directory.Exists(parent) ? Directory.EnumerateDirectories(parent, name).Select(folder => Path.Combine(folder, below)) : [];
    }

    private static string VersionLine(string server)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(server, "--version") { RedirectStandardOutput = true, RedirectStandardError = true })!;
            return process.StandardOutput.ReadToEnd();
        }
        catch (Win32Exception)
        {
            // The program is for another machine, or this user may not run it. It counts as missing.
            return "";
        }
    }

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)(?:\.(\d+))?")]
    private static partial Regex VersionPattern();
}

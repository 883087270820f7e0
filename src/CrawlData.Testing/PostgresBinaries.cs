using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace CrawlData.Testing;

/// <summary>A folder with the programs of a PostgreSQL server.</summary>
internal sealed partial record PostgresBinaries(string Folder, int Major, int Minor)
{
    private const int OldestMajor = 15;
    private static readonly string[] Programs = ["initdb", "pg_ctl", "postgres"];

    // Where Debian, Red Hat (PGDG's packages and its own), Homebrew and the Windows installer put them; * is one folder's whole or partial name.
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

    /// <summary>The newest on the PATH or in a usual folder, or none.</summary>
    public static PostgresBinaries? Find(Func<string, string?> environment) =>
        (environment("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Concat(UsualFolders.SelectMany(Expand))
            .Select(Home)
            .Distinct()
            .Select(In)
            .Where(binaries => binaries?.Major >= OldestMajor)
            .MaxBy(binaries => (binaries!.Major, binaries.Minor));

    /// <summary>Those of one folder, of whatever version; none when a program is missing or does not run.</summary>
    public static PostgresBinaries? In(string folder)
    {
        var home = Home(folder);
        if (!Programs.All(program => File.Exists(FileOf(home, program))))
        {
            return null;
        }

        var match = VersionPattern().Match(VersionLine(FileOf(home, "postgres")));
        return match.Success
            ? new(home, int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture),
                match.Groups[2].Success ? int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) : 0)
            : null;
    }

    public string FileOf(string program) => FileOf(Folder, program);

    private static string FileOf(string folder, string program) => Path.Combine(folder, OperatingSystem.IsWindows() ? program + ".exe" : program);

    // A folder may hold only a link to the server: its other programs are beside the link's target.
    private static string Home(string folder)
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
            // Not for this machine, or not for us to run: no server, as if it were not there.
            return "";
        }
    }

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)(?:\.(\d+))?")]
    private static partial Regex VersionPattern();
}

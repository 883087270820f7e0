using System.Diagnostics;

namespace CrawlData.Testing;

/// <summary>Starts programs as the user that the server runs as: a server refuses to run as root. That user owns the server's folder, so this process neither
/// reads nor writes there.</summary>
internal static class ServerUser
{
    // What programs need to run, to write messages, and to find a place for files. Other variables may hold secrets, or change what the programs do.
    private static readonly string[] Variables = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"];

    /// <summary>Gets the user that the programs run as when this process runs as root.</summary>
    public static string Unprivileged =>
        File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";

    /// <summary>Describes the start of a program with pipes for its standard streams.</summary>
    public static ProcessStartInfo Start(string program, params string[] arguments)
    {
        var start = Piped(new(program, arguments));
        if (OperatingSystem.IsWindows())
        {
            return start;
        }

        foreach (var name in start.Environment.Keys.Except(Variables).ToList())
        {
            start.Environment.Remove(name);
        }

        if (Environment.IsPrivilegedProcess)
        {
            start.UserName = Unprivileged;
        }

        return start;
    }

    /// <summary>Sets pipes, and a working folder that another user may enter.</summary>
    public static ProcessStartInfo Piped(ProcessStartInfo start)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.CreateNoWindow = true;
        start.WorkingDirectory = Path.GetPathRoot(Environment.CurrentDirectory)!;
        return start;
    }
}

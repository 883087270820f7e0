using System.Diagnostics;

namespace CrawlData.Testing;

/// <summary>Finds what other users can change. No program of such a folder is run, and nothing is stored there.</summary>
internal static class FolderInspection
{
    // Prints the folder without links, and what can be changed by a user other than root and this one. A group is trusted if it is root's, this user's own, or
    // the administrators'. In a folder with the sticky bit, other users can change only what they own.
    private const string Script = """
        cd -P -- "$1" && folder=$(pwd -P) && user=$(command -p id -u) || exit
        echo "$folder"
        administrators=$2
        shift 2
        for file; do set -- "$@" "$folder/$file"; shift; done
        set -- "$@" /
        while [ -n "$folder" ]; do set -- "$@" "$folder"; folder=${folder%/*}; done
        command -p find "$@" -prune \( -type l -o ! -user 0 ! -user "$user" -o ! \( -type d -perm -1000 \) \
          \( -perm -002 -o -perm -020 ! -group 0 ! -group "$user" ! -group "$administrators" \) \) -print
        """;

    /// <summary>Resolves the links of a folder, and finds what another user can change: a file in it, the folder, or a folder above. Windows is not
    /// inspected.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="files">The names of files that must exist there.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public static async Task<(string Folder, string? Changeable)> InspectAsync(
        string folder, IEnumerable<string> files, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
        {
            return (folder, null);
        }

        var administrators = OperatingSystem.IsMacOS() ? "80" : "0";
        using var process = Process.Start(ServerUser.Piped(new("/bin/sh", ["-c", Script, "/bin/sh", folder, administrators, .. files])))!;
        var lines = (await process.StandardOutput.ReadToEndAsync(cancellationToken).ConfigureAwait(false)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        return process.ExitCode == 0 ? (lines[0], lines.ElementAtOrDefault(1)) : (folder, folder);
    }
}

using Microsoft.Win32.SafeHandles;

namespace CrawlData.Cli;

/// <summary>Finds out whether standard input or output leads to another program.</summary>
internal static class Pipe
{
    private const int Input = 0;
    private const int Output = 1;

    /// <summary>Gets whether standard input or output is a pipe, and not a terminal or a file.</summary>
    public static bool IsUsed => IsPipe(Input, FileAccess.Read, Console.IsInputRedirected) || IsPipe(Output, FileAccess.Write, Console.IsOutputRedirected);

    private static bool IsPipe(int descriptor, FileAccess access, bool isRedirected)
    {
        if (!isRedirected || OperatingSystem.IsWindows())
        {
            return isRedirected;
        }

        // A file can be sought in, and so can /dev/null.
        using var stream = new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), access, bufferSize: 0);
        return !stream.CanSeek;
    }
}

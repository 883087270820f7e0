using Microsoft.Win32.SafeHandles;

namespace CrawlData.Cli;

/// <summary>Standard output as a stream of bytes.</summary>
internal static class StandardOutput
{
    // EPIPE, on Linux and macOS.
    private const int BrokenPipe = 32;

    /// <summary>Opens it, so that writing to a pipe that its reader has closed throws: the console's own stream goes on writing to nobody.</summary>
    public static Stream Open()
    {
        if (OperatingSystem.IsWindows())
        {
            return Console.OpenStandardOutput();
        }

        // Into a file the console's, which moves the offset that other processes write at.
        var stream = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return stream.CanSeek ? Console.OpenStandardOutput() : stream;
    }

    /// <summary>Whether the reader of the pipe has gone, as <c>head</c> does, which is no error.</summary>
    public static bool IsClosed(Exception exception) => exception is IOException { HResult: BrokenPipe };
}

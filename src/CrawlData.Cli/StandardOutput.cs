using Microsoft.Win32.SafeHandles;

namespace CrawlData.Cli;

/// <summary>Standard output as a stream of bytes.</summary>
internal static class StandardOutput
{
    // EPIPE, on Linux and macOS.
    private const int BrokenPipe = 32;

    /// <summary>Opens standard output with writes that throw once the reader has closed the pipe. The console's own stream ignores a closed pipe. On a
    /// terminal it takes JSON.</summary>
    public static Stream Open()
    {
        if (!Console.IsOutputRedirected)
        {
            return new TerminalStream(Console.OpenStandardOutput());
        }

        if (OperatingSystem.IsWindows())
        {
            return Console.OpenStandardOutput();
        }

        // A file needs the console's stream: it moves the offset that other processes share.
        var stream = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return stream.CanSeek ? Console.OpenStandardOutput() : stream;
    }

    /// <summary>Gets whether the reader has closed the pipe, as <c>head</c> does. That is no error, unless the rows confirm
    /// work.</summary>
    public static bool IsClosed(Exception exception) => exception is IOException { HResult: BrokenPipe };
}

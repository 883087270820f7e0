using System.Net.Sockets;
using CrawlData.Cli.Commands;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>Reports an error as one line on standard error and an exit code. The line has no connection string, no detail that quotes a row, and no stack
/// trace.</summary>
internal static class ErrorReport
{
    private const int Failed = 1;
    private const int WrongUsage = 2;

    public static int Write(Exception exception)
    {
        if (StandardOutput.IsClosed(exception))
        {
            return 0;
        }

        var line = exception switch
        {
            // The format of compilers, which editors turn into links. It may have several lines.
            RecordingLineException => exception.Message,
            _ => $"crawldata: {Describe(exception)}",
        };

        // A ThrowawayServerException has several lines: one for each way to provide a server.
        Console.Error.WriteLine(exception is ThrowawayServerException or RecordingLineException ? line : line.Printable());
        return exception is UsageException ? WrongUsage : Failed;
    }

    /// <summary>Describes an exception in one line that quotes no row.</summary>
    public static string Describe(Exception exception) => exception switch
    {
        OperationCanceledException => "cancelled",
        PostgresException { SqlState: PostgresErrorCodes.UndefinedTable } => $"{ServerErrors.Describe(exception)}; crawldata migrate creates the tables",
        PostgresException => ServerErrors.Describe(exception),
        NpgsqlException { InnerException: AggregateException { InnerExceptions: [.., var last] } } => Describe(last),
        NpgsqlException when exception.GetBaseException() is var cause && cause.Message != exception.Message => $"{exception.Message}: {cause.Message}",
        _ when exception.GetBaseException() is SocketException => $"cannot reach the server: {exception.Message}",
        CrawlDataException or UsageException or UnknownIdException or RefusedException => exception.Message,
        NpgsqlException or IOException or InvalidDataException or UnauthorizedAccessException or PlatformNotSupportedException => exception.Message,
        _ => $"{exception.GetType().Name}: {exception.Message}",
    };
}

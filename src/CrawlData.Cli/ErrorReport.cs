using System.Net.Sockets;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>Turns what went wrong into one line on standard error and an exit code. No line holds a connection string, a detail that quotes a row, or a stack
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
            // As compilers write it, for editors to jump to.
            RecordingLineException => exception.Message,
            _ => $"crawldata: {Describe(exception)}",
        };

        // Several lines only where the library lists the ways out.
        Console.Error.WriteLine(exception is ThrowawayServerException ? line : line.Printable());
        return exception is UsageException ? WrongUsage : Failed;
    }

    private static string Describe(Exception exception) => exception switch
    {
        OperationCanceledException => "cancelled",
        PostgresException { SqlState: PostgresErrorCodes.UndefinedTable } => $"{ServerErrors.Describe(exception)}; crawldata migrate makes the tables",
        PostgresException => ServerErrors.Describe(exception),
        NpgsqlException { InnerException: AggregateException { InnerExceptions: [.., var last] } } => Describe(last),
        NpgsqlException when exception.GetBaseException() is var cause && cause.Message != exception.Message => $"{exception.Message}: {cause.Message}",
        _ when exception.GetBaseException() is SocketException => $"cannot reach the server: {exception.Message}",
        CrawlDataException or UsageException or NpgsqlException or IOException or InvalidDataException or UnauthorizedAccessException => exception.Message,
        _ => $"{exception.GetType().Name}: {exception.Message}",
    };
}

using Microsoft.Extensions.Logging;

namespace CrawlData.Testing;

/// <summary>Writes lines about the server to a logger, or else to standard error.</summary>
internal static partial class ServerLog
{
    /// <summary>Names the server that is used.</summary>
    public static void WriteServer(ILogger? logger, string server) => Write(logger, server, LogServer);

    /// <summary>Says what is fetched, or awaited, before that takes its time.</summary>
    public static void WriteFetch(ILogger? logger, string text) => Write(logger, text, LogFetch);

    private static void Write(ILogger? logger, string text, Action<ILogger, string> log)
    {
        if (logger is null)
        {
            Console.Error.WriteLine($"Throwaway databases: {text}.");
        }
        else
        {
            log(logger, text);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Throwaway databases: {Server}.", EventName = "ServerChosen")]
    private static partial void LogServer(ILogger logger, string server);

    [LoggerMessage(2, LogLevel.Information, "Throwaway databases: {Text}.", EventName = "ServerFetched")]
    private static partial void LogFetch(ILogger logger, string text);
}

using Microsoft.Extensions.Logging;

namespace CrawlData.Cli;

/// <summary>Writes to standard error that a server's programs are fetched. Other lines of the server's start are left out.</summary>
internal sealed class FetchLog : ILogger
{
    private const string EventName = "ServerFetched";

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Name == EventName)
        {
            Terminal.WriteNotice(formatter(state, exception));
        }
    }
}

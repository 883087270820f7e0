using Microsoft.Extensions.Logging;

namespace CrawlData.Instrumentation;

/// <summary>Passes entries to the application's logger, and ignores its exceptions. A logger with a full disk must not make a stored append look
/// failed.</summary>
/// <param name="logger">The application's logger; may be null.</param>
internal sealed class GuardedLogger(ILogger? logger) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull
    {
        try
        {
            return logger?.BeginScope(state);
        }
        catch (Exception)
        {
            return null;
        }
    }

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return logger?.IsEnabled(logLevel) ?? false;
        }
        catch (Exception)
        {
            return false;
        }
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            logger?.Log(logLevel, eventId, state, exception, formatter);
        }
        catch (Exception)
        {
            // The logger has failed, so there is no place to report it.
        }
    }
}

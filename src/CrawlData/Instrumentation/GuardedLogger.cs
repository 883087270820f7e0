using Microsoft.Extensions.Logging;

namespace CrawlData.Instrumentation;

/// <summary>Passes entries to the application's logger, and never throws. A full disk beneath the application's log must not make a stored append look
/// failed.</summary>
internal sealed class GuardedLogger(ILogger? logger) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => logger?.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => logger?.IsEnabled(logLevel) ?? false;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            logger?.Log(logLevel, eventId, state, exception, formatter);
        }
        catch (Exception)
        {
            // There is nowhere left to report it.
        }
    }
}

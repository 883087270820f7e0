using Microsoft.Extensions.Logging;

namespace CrawlData.Tests;

/// <summary>A logger that receives the log events with some ids.</summary>
internal sealed class LoggedEvents<T>(params int[] ids) : ILogger<T>
{
    /// <summary>The texts of the events.</summary>
    public ReceivedItems<string> Received { get; } = new();

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (ids.Contains(eventId.Id))
        {
            Received.Add(formatter(state, exception));
        }
    }
}

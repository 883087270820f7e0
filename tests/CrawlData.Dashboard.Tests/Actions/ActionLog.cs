using CrawlData.Tests;
using Microsoft.Extensions.Logging;

namespace CrawlData.Dashboard.Tests.Actions;

/// <summary>What a host has logged.</summary>
internal sealed class ActionLog : ILoggerProvider, ILogger
{
    private readonly ReceivedItems<string> received = new();

    public IReadOnlyList<string> Messages => received.ToList();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        received.Add(formatter(state, exception));

    public void Dispose()
    {
    }
}

using Microsoft.Extensions.Logging;

namespace CrawlData.Tests;

/// <summary>Writes log lines to the test run's output.</summary>
internal sealed class TestLog : ILogger
{
    public static readonly TestLog Instance = new();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        TestContext.Progress.WriteLine(formatter(state, exception));
}

using CrawlData.Crawls;
using Microsoft.Extensions.Logging;

namespace CrawlData.Tests;

/// <summary>Signals that a writer has logged an event.</summary>
/// <param name="eventName">The event's name.</param>
internal sealed class LogSignal(string eventName) : ILogger<CrawlEventWriter>
{
    private readonly TaskCompletionSource logged = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Logged => logged.Task;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        TestContext.Progress.WriteLine(formatter(state, exception));
        if (eventId.Name == eventName)
        {
            logged.TrySetResult();
        }
    }
}

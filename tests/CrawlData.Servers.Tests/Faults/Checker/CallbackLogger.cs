using Microsoft.Extensions.Logging;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>An application's logger that throws now and then, from each of its members.</summary>
internal sealed class CallbackLogger<T>(FaultCounter counter) : ILogger<T>
{
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel)
    {
        ThrowSometimes();
        return true;
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        ThrowSometimes();

    private void ThrowSometimes()
    {
        if (Random.Shared.Next(4) == 0)
        {
            counter.Add("throwing logger");
            throw new CallbackException();
        }
    }
}

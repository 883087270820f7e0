using Microsoft.Extensions.Logging;

namespace CrawlData.Cli;

/// <summary>Writes to standard error how many rows the library passed over, because it cannot read them. A listing is not complete without them.</summary>
internal sealed class PassedOverRowsLog : ILoggerFactory, ILogger
{
    private const string EventName = "RowsPassedOver";

    private static readonly PassedOverRowsLog Instance = new();

    /// <summary>Makes a logger for a class of the library.</summary>
    public static ILogger<T> For<T>() => new Logger<T>(Instance);

    /// <summary>Gets a factory, for a class of the library that takes one.</summary>
    public static ILoggerFactory Factory => Instance;

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Name == EventName)
        {
            Console.Error.WriteLine($"crawldata: {formatter(state, exception).Printable()}");
        }
    }

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }
}

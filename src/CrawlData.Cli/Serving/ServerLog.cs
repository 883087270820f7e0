using Microsoft.Extensions.Logging;

namespace CrawlData.Cli.Serving;

/// <summary>Writes to standard error what the dashboard logs, and the errors of the server below it.</summary>
internal sealed class ServerLog : ILoggerProvider
{
    // The command reports itself why the server does not start. Kestrel's warnings are about the machine's speed and about clients.
    public ILogger CreateLogger(string categoryName) => new Logger(
        categoryName.StartsWith("CrawlData.Dashboard", StringComparison.Ordinal) ? LogLevel.Information
            : categoryName.StartsWith("Microsoft.Extensions.Hosting", StringComparison.Ordinal) ? LogLevel.None
            : LogLevel.Error);

    public void Dispose()
    {
    }

    private sealed class Logger(LogLevel least) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= least;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                var cause = exception is null ? "" : $" {ErrorReport.Describe(exception)}";
                Terminal.WriteNotice($"{Terminal.FormatTime(DateTimeOffset.UtcNow)} {formatter(state, exception)}{cause}");
            }
        }
    }
}

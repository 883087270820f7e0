using Microsoft.Extensions.Logging;

namespace CrawlData.Instrumentation;

/// <summary>Makes loggers that ignore the exceptions of the application's loggers. Npgsql logs between its steps, and also after a COMMIT.</summary>
/// <param name="factory">The application's factory. The application disposes it.</param>
internal sealed class GuardedLoggerFactory(ILoggerFactory factory) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => factory.CreateLogger(categoryName).Guarded();

    public void AddProvider(ILoggerProvider provider) => factory.AddProvider(provider);

    public void Dispose()
    {
    }
}

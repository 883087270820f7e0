using CrawlData.Testing;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Benchmarks;

/// <summary>Counts the statements of a data source, by Npgsql's log.</summary>
public sealed class StatementCounter : ILoggerFactory, ILogger
{
    // Npgsql's event of a command that was executed.
    private const int CommandExecuted = 2001;

    private long count;

    public long Count => Interlocked.Read(ref count);

    /// <summary>Makes a data source whose statements are counted.</summary>
    public NpgsqlDataSource CreateDataSource(ThrowawayDatabase database) =>
        new NpgsqlDataSourceBuilder(database.ConnectionString).UseLoggerFactory(this).Build();

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Id == CommandExecuted)
        {
            Interlocked.Increment(ref count);
        }
    }

    public void Dispose()
    {
    }
}

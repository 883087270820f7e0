using CrawlData.Crawls;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Settings of a role or a database that reach the statements of an append.</summary>
public sealed class SessionSettingTests : DatabaseTest
{
    [TestCase("statement_timeout")]
    [TestCase("lock_timeout")]
    public async Task An_append_that_a_time_out_of_the_role_cancels_is_retried(string setting)
    {
        var crawl = await CreateCrawlAsync();
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = $"-c {setting}=50ms" });
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(1), transaction);
        var retrying = new RetrySignal();

        var append = new CrawlEventRepository(dataSource, logger: retrying).AppendAsync(crawl, Event(2));
        await retrying.Seen.Task.WaitAsync(TimeSpan.FromSeconds(10));
        await transaction.CommitAsync();

        var id = await append;
        Assert.That((await Events.ListAsync(crawl)).Items[^1].Id, Is.EqualTo(id));
    }

    /// <summary>Signals the first retry that is logged.</summary>
    private sealed class RetrySignal : ILogger<CrawlEventRepository>
    {
        public TaskCompletionSource Seen { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Name == "Retrying")
            {
                Seen.TrySetResult();
            }
        }
    }
}

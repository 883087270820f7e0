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
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = $"-c {setting}=500ms" });
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(1), transaction);
        var retrying = new RetrySignal();

        var append = new CrawlEventRepository(dataSource, logger: retrying).AppendAsync(crawl, Event(2));
        await retrying.Seen.Task.WaitAsync(Wait.Longest);
        await transaction.CommitAsync();

        var id = await append;
        Assert.That((await Events.ListAsync(crawl)).Items[^1].Id, Is.EqualTo(id));
    }

    /// <summary>The pool does not notice that the server ended an idle session.</summary>
    [Test]
    public async Task An_append_whose_pooled_session_the_server_ended_is_retried()
    {
        var crawl = await CreateCrawlAsync();
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = "-c idle_session_timeout=50ms", ApplicationName = "idle" });
        var events = new CrawlEventRepository(dataSource);
        await events.AppendAsync(crawl, Event(1));
        await Wait.UntilAsync(
            DataSource,
            "select not exists (select from pg_stat_activity where datname = current_database() and application_name = 'idle')");

        await events.AppendAsync(crawl, Event(2));

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(2));
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

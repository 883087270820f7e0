using CrawlData.Crawls;
using CrawlData.Tests.Servers;
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

    [Test]
    public async Task A_large_append_is_stored_where_row_security_forbids_COPY([Values(1, 1_000, 2_500)] int count)
    {
        await using var server = await RestartableServer.StartAsync();
        await using (var prepare = server.DataSource.CreateCommand(
            """
            create role crawler login password 'crawler';
            grant select, insert, update on crawl_runs, crawl_events to crawler;
            grant usage on sequence crawl_events_id_seq to crawler;
            alter table crawl_events enable row level security;
            create policy all_events on crawl_events using (true) with check (true)
            """))
        {
            await prepare.ExecuteNonQueryAsync();
        }

        var crawl = (await new CrawlRunRepository(server.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(server.ConnectionString) { Username = "crawler", Password = "crawler" });
        var events = new CrawlEventRepository(dataSource);

        var ids = await events.AppendAsync(crawl, EventsOf(count));
        var streamed = await events.AppendStreamAsync(crawl, EventsOf(count).ToAsyncEnumerable());

        Assert.That(streamed, Is.EqualTo(count));
        Assert.That(ids, Is.Ordered.And.Unique);
        Assert.That(await events.StreamAsync(crawl).Take(count).Select(crawlEvent => crawlEvent.Id).ToListAsync(), Is.EqualTo(ids));
        Assert.That(
            await events.StreamAsync(crawl).Take(count).Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32()).ToListAsync(),
            Is.EqualTo(Enumerable.Range(1, count)));
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

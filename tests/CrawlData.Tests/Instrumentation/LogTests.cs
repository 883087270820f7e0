using System.Reflection;
using CrawlData.Crawls;
using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;

namespace CrawlData.Tests.Diagnostics;

public sealed class LogTests : DatabaseTest
{
    [Test]
    public void Each_log_event_has_a_unique_id_and_named_values()
    {
        var messages = typeof(Log).GetMethods(BindingFlags.Public | BindingFlags.Static)
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>().ToList();

        Assert.That(messages, Is.Not.Empty);
        Assert.That(messages.Select(message => message.EventId), Is.Unique);
    }

    [Test]
    public async Task Unstored_events_are_logged_as_an_error_without_their_payloads()
    {
        var log = new ListLogger<CrawlEventWriter>();
        await using var writer = new CrawlEventWriter(Events, logger: log);
        await writer.WriteAsync(Guid.CreateVersion7(), new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("""{"secret": "of the page"}""") });

        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        writer.TakeUnstored();

        var (level, id, text) = log.Lines.Single(line => line.Level == LogLevel.Error);
        Assert.That((level, id), Is.EqualTo((LogLevel.Error, 20)));
        Assert.That(text, Is.EqualTo(
            "1 events of 1 crawls could not be stored: CrawlData.RowNotFoundException. "
            + "Awaiting callers get the error. The other events are kept until they are taken."));
    }

    [Test]
    public async Task A_throwing_logger_changes_no_outcome()
    {
        var events = new CrawlEventRepository(DataSource, logger: new ThrowingLogger<CrawlEventRepository>());
        await using var writer = new CrawlEventWriter(events, logger: new ThrowingLogger<CrawlEventWriter>());
        var crawl = await CreateCrawlAsync();

        await writer.WriteAsync(Guid.CreateVersion7(), Event(1));
        await writer.WriteAsync(crawl, Event(2));
        await Assert.ThatAsync(() => writer.FlushAsync().WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());
        writer.TakeUnstored();
        await writer.AppendAsync(crawl, Event(3)).WaitAsync(Wait.Longest);

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(2));
    }

    private sealed class ListLogger<T> : ILogger<T>
    {
        public List<(LogLevel Level, int Id, string Text)> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Lines)
            {
                Lines.Add((logLevel, eventId.Id, formatter(state, exception)));
            }
        }
    }

    private sealed class ThrowingLogger<T> : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new IOException("the disk is full");
    }
}

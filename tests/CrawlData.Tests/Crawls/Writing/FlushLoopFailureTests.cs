using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>An application's callback throws inside the writer's flush loop. It stands for every error that escapes the loop.</summary>
public sealed class FlushLoopFailureTests
{
    private static readonly Guid Crawl = Guid.NewGuid();
    private static readonly NewCrawlEvent Event = new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    [Test]
    public async Task A_flush_loop_that_fails_hangs_no_caller_and_everybody_sees_it()
    {
        // Nothing listens on port 1. The loop connects when it sees the awaited event before it waits for more.
        await using var dataSource = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1");
        var failed = new LogSignal("FlushLoopFailed");
        var time = new FailingTime();
        var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource), new CrawlEventWriterOptions { Linger = TimeSpan.FromMinutes(1), Capacity = 2 }, failed, time);

        Task[] waiting = [writer.WriteAsync(Crawl, Event), writer.AppendAsync(Crawl, Event), writer.WriteAsync(Crawl, Event), writer.FlushAsync()];
        time.Fail();

        await Assert.ThatAsync(() => waiting[0].WaitAsync(Wait.Longest), Throws.Nothing);
        await Assert.ThatAsync(() => waiting[1].WaitAsync(Wait.Longest), Throws.Exception.SameAs(time.Error));
        await Assert.ThatAsync(() => waiting[2].WaitAsync(Wait.Longest), Throws.Nothing);
        await Assert.ThatAsync(() => waiting[3].WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());
        await Assert.ThatAsync(() => failed.Logged.WaitAsync(Wait.Longest), Throws.Nothing);
        await Assert.ThatAsync(() => writer.WriteAsync(Crawl, Event), Throws.InvalidOperationException.With.InnerException.SameAs(time.Error));
        await Assert.ThatAsync(() => writer.AppendAsync(Crawl, Event), Throws.InvalidOperationException);
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InvalidOperationException);
        await Assert.ThatAsync(() => writer.FlushAsync(Crawl), Throws.InvalidOperationException);
        await Assert.ThatAsync(() => writer.DisposeAsync().AsTask().WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(writer.TakeUnstored(Crawl).Select(one => one.Error), Is.EqualTo(new[] { time.Error, time.Error }));
        await Assert.ThatAsync(() => writer.DisposeAsync().AsTask().WaitAsync(Wait.Longest), Throws.InvalidOperationException);
    }

    /// <summary>A clock whose next timer waits for <see cref="Fail"/> and then throws.</summary>
    private sealed class FailingTime : TimeProvider
    {
        private readonly TaskCompletionSource failing = new();

        public Exception Error { get; } = new InvalidTimeZoneException("no timer");

        public void Fail() => failing.SetResult();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            failing.Task.GetAwaiter().GetResult();
            throw Error;
        }
    }
}

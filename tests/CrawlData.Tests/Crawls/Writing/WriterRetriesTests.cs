using CrawlData.Crawls;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace CrawlData.Tests.Crawls;

public sealed class WriterRetriesTests
{
    [Test]
    public void A_timer_that_fires_after_the_writer_was_disposed_throws_nothing()
    {
        using var dataSource = NpgsqlDataSource.Create("Host=unused");
        var time = new LateTimers();
        var retries = new WriterRetries(new CrawlEventRepository(dataSource), Timeout.InfiniteTimeSpan, time, NullLogger.Instance);

        retries.Close();
        retries.Dispose();

        Assert.That(time.Fire, Throws.Nothing);
    }

    /// <summary>A timer that fires when a test says so, also after it was disposed.</summary>
    private sealed class LateTimers : TimeProvider
    {
        public Action Fire { get; private set; } = () => throw new InvalidOperationException("There is no timer.");

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Fire = () => callback(state);
            return base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, period);
        }
    }
}

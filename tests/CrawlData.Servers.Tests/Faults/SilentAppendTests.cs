using System.Text;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Tests.Faults;

/// <summary>An append whose connection goes silent. The backend waits for its lost client, and holds the parent's lock.</summary>
/// <param name="asCitus">Whether the database looks as if it had Citus.</param>
[TestFixture(false)]
[TestFixture(true)]
public sealed class SilentAppendTests(bool asCitus) : DatabaseTest
{
    private const string Flush = "pg_logical_emit_message";

    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => asCitus ? PretendedCitus.StartAsync() : base.CreateDatabaseAsync();

    /// <summary>On Citus before PostgreSQL 17, the flush before the COMMIT is a round trip of its own.</summary>
    [TestCase(1, Flush, "on")]
    [TestCase(1, "insert into crawl_events", "on")]
    [TestCase(3, "insert into crawl_events", "on")]
    [TestCase(1_500, "nextval", "on")]
    [TestCase(1_500, "PGCOPY", "on")]
    [TestCase(1_500, "PGCOPY", "off")]
    public async Task Events_are_stored_on_a_new_connection(int count, string piece, string trackActivities)
    {
        var crawl = await CreateCrawlAsync();
        var (silencing, frozen) = (Encoding.ASCII.GetBytes(piece == Flush && !asCitus ? "insert into crawl_events" : piece), 0);
        await using var silent = new FaultProxy(Database.ConnectionString);
        silent.OnSent = (_, sent) =>
        {
            if (sent.AsSpan().IndexOf(silencing) >= 0 && Interlocked.Exchange(ref frozen, 1) == 0)
            {
                silent.FreezeOpenConnections();
            }

            return Fault.None;
        };
        await using var lossy = silent.CreateDataSource(
            Database.ConnectionString,
            settings => (settings.CommandTimeout, settings.CancellationTimeout, settings.Options) = (1, -1, $"-c track_activities={trackActivities}"));

        var ids = await new CrawlEventRepository(lossy, retry: new RetryOptions { Limit = Wait.Longest }).AppendAsync(crawl, EventsOf(count));

        Assert.That(frozen, Is.EqualTo(1));
        Assert.That(await Events.StreamAsync(crawl).Select(crawlEvent => crawlEvent.Id).ToListAsync(), Is.EqualTo(ids));
    }
}

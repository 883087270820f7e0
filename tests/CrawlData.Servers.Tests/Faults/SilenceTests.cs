using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>The network drops the packets of open connections and closes none of them, while new connections work. Each operation hangs until its command
/// time-out, which by default is as long as the limit of retries.</summary>
public sealed class SilenceTests : DatabaseTest
{
    private const int IdleConnections = 3;

    private static readonly RetryOptions LimitOfOneTimeout = new() { Limit = TimeSpan.FromSeconds(3) };

    private FaultProxy proxy = null!;
    private NpgsqlDataSource dataSource = null!;

    [OneTimeSetUp]
    public void StartProxy()
    {
        proxy = new FaultProxy(Database.ConnectionString);
        dataSource = proxy.CreateDataSource(Database.ConnectionString, settings => (settings.CommandTimeout, settings.CancellationTimeout) = (3, -1));
    }

    [OneTimeTearDown]
    public async Task StopProxyAsync()
    {
        await dataSource.DisposeAsync();
        await proxy.DisposeAsync();
    }

    [Test]
    [NonParallelizable]
    public async Task An_append_a_flush_and_a_read_of_a_follower_are_retried_on_a_new_connection()
    {
        var (appended, flushed, followed) = (await CreateCrawlAsync(), await CreateCrawlAsync(), await CreateCrawlAsync());
        var events = new CrawlEventRepository(dataSource, retry: LimitOfOneTimeout);
        var last = await Events.AppendAsync(followed, Event(1));
        await Runs.StartAsync(followed);
        await Runs.CompleteAsync(followed);
        await OpenIdleConnectionsAsync();
        proxy.FreezeOpenConnections();

        await using var writer = new CrawlEventWriter(events);
        var append = events.AppendAsync(appended, Event(1));
        var flush = writer.AppendAsync(flushed, Event(1));
        var follow = events.FollowAsync(followed).Select(crawlEvent => crawlEvent.Id).ToListAsync();

        Assert.That(await follow, Is.EqualTo(new[] { last }));
        var ids = new[] { await append, await flush };
        Assert.That((await Events.ListAsync(appended)).Items.Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids[..1]));
        Assert.That((await Events.ListAsync(flushed)).Items.Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids[1..]));
    }

    private async Task OpenIdleConnectionsAsync()
    {
        var connections = await Task.WhenAll(Enumerable.Range(0, 2 * IdleConnections).Select(_ => dataSource.OpenConnectionAsync().AsTask()));
        foreach (var connection in connections)
        {
            await connection.DisposeAsync();
        }
    }
}

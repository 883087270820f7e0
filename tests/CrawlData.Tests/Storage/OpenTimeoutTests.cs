using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Storage;

/// <summary>A connection that is not opened within its time. Npgsql throws a bare <see cref="TimeoutException"/> when the time is up between two
/// steps.</summary>
public sealed class OpenTimeoutTests : DatabaseTest
{
    [Test]
    public async Task An_append_is_retried_when_a_connection_opens_too_slowly()
    {
        var crawl = await CreateCrawlAsync();
        var opened = 0;
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Timeout = 1 };
        var password = settings.Password!;
        Assume.That(password, Is.Not.Null.And.Not.Empty, "the server asks for a password");
        settings.Password = null;
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString);
        builder.UsePasswordProvider(
            _ => throw new NotSupportedException(),
            async (_, _) =>
            {
                await Task.Delay(Interlocked.Increment(ref opened) == 1 ? TimeSpan.FromSeconds(1.5) : TimeSpan.Zero, CancellationToken.None);
                return password;
            });
        await using var dataSource = builder.Build();

        await new CrawlEventRepository(dataSource).AppendAsync(crawl, Event(1));

        Assert.That(opened, Is.EqualTo(2), "the first attempt failed");
    }
}

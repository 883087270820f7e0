using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Connections whose start takes longer than the connection string's <c>Timeout</c>.</summary>
public sealed class SlowOpeningTests : DatabaseTest
{
    [Test]
    public async Task An_append_whose_connection_starts_too_slowly_is_retried()
    {
        var builder = new NpgsqlDataSourceBuilder(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Timeout = 1 }.ConnectionString);
        var password = new NpgsqlConnectionStringBuilder(Database.ConnectionString).Password!;
        builder.ConnectionStringBuilder.Password = null;
        var calls = 0;
        builder.UsePasswordProvider(_ => password, async (_, cancellationToken) =>
        {
            if (Interlocked.Increment(ref calls) == 1)
            {
                // Only time makes a start slow, and Npgsql has no clock to set.
                await Task.Delay(TimeSpan.FromSeconds(1.1), cancellationToken);
            }

            return password;
        });
        await using var dataSource = builder.Build();
        var crawl = await CreateCrawlAsync();

        await new CrawlEventRepository(dataSource).AppendAsync(crawl, Event(1));

        Assert.That(calls, Is.EqualTo(2));
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(1));
    }
}

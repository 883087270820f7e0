using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Storage;

/// <summary>A connection that is not opened within its time. Npgsql throws a bare <see cref="TimeoutException"/> while another connection reads the server's
/// types, which the first connection of a data source does.</summary>
public sealed class OpenTimeoutTests : DatabaseTest
{
    [Test]
    public async Task An_append_is_retried_when_its_connection_opens_too_slowly()
    {
        var crawl = await CreateCrawlAsync();
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var readsTypes = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Timeout = 1 };
        var password = settings.Password!;
        settings.Password = null;
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString);
        builder.UsePasswordProvider(
            _ => throw new NotSupportedException(),
            async (_, _) =>
            {
                // The first connection begins earlier, so its time is up earlier. The second connection reads the types.
                if (!asked.Task.IsCompleted)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(300), CancellationToken.None);
                    asked.TrySetResult();
                    await readsTypes.Task;
                }

                return password;
            });
        await using var dataSource = builder.Build();
        var events = new CrawlEventRepository(dataSource);
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("lock table pg_enum in access exclusive mode", holder, transaction))
        {
            await hold.ExecuteNonQueryAsync();
        }

        var first = events.AppendAsync(crawl, Event(1));
        await asked.Task;
        var second = events.AppendAsync(crawl, Event(2));
        await Wait.UntilBlockedByAsync(DataSource, holder);
        readsTypes.SetResult();
        await Task.WhenAny(first, Task.Delay(TimeSpan.FromSeconds(1)));
        await transaction.CommitAsync();
        await Task.WhenAll(first, second);

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(2));
    }
}

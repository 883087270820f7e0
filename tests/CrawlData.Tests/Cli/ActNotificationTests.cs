using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Tests.Cli;

/// <summary>In a database of its own: any other commit of new work would be heard too.</summary>
public sealed class ActNotificationTests : ToolTest
{
    [Test]
    public async Task New_work_notifies_workers_that_listen()
    {
        var heard = new List<string>();
        await using var listener = await DataSource.OpenConnectionAsync();
        listener.Notification += (_, notification) => heard.Add(notification.Payload);
        await ExecuteAsync($"listen {NotificationListener.WorkChannel}");

        var run = (await RunAsync("run", "create", "--app", "org.example.app")).Output.Trim();
        await RunAsync("session", "enqueue", "https://example.org/", "--policy", "1", "--config", "{}");
        await ExecuteAsync("select 1");
        Assert.That(heard, Is.EqualTo(["runs", "sessions"]));

        await RunAsync("run", "cancel", run);
        await RunAsync("run", "retry", run);
        await ExecuteAsync("select 1");
        Assert.That(heard, Is.EqualTo(["runs", "sessions", "runs"]));

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, listener);
            await command.ExecuteNonQueryAsync();
        }
    }
}

using CrawlData.Testing;

namespace CrawlData.Tests.Cli;

[Parallelizable(ParallelScope.All)]
public sealed class MigrateCommandTests
{
    private static readonly ThrowawayDatabaseOptions Empty = new() { Migrate = false, Logger = TestLog.Instance };

    [Test]
    public async Task Eight_processes_at_once_run_each_script_once()
    {
        await using var database = await ThrowawayDatabase.StartAsync(Empty);
        var pending = await Tool.RunAsync(database.ConnectionString, "migrate", "--pending");

        var migrations = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Tool.RunAsync(database.ConnectionString, "migrate")));
        var still = await Tool.RunAsync(database.ConnectionString, "migrate", "--pending");

        Assert.That(pending.Column("script"), Is.Not.Empty.And.Ordered);
        Assert.That(pending.Column("state"), Is.All.EqualTo("pending"));
        Assert.That(migrations.Select(migration => (migration.ExitCode, migration.Error)), Is.All.EqualTo((0, "")));
        Assert.That(migrations.SelectMany(migration => migration.Column("script")), Is.EqualTo(pending.Column("script")));
        Assert.That(migrations.SelectMany(migration => migration.Column("state")), Is.All.EqualTo("applied"));
        Assert.That((still.ExitCode, still.Output, still.Error), Is.EqualTo((0, "", "")));
    }

    [Test]
    public async Task Tables_made_by_hand_are_adopted()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        await using (var command = database.DataSource.CreateCommand("drop table crawldata_journal"))
        {
            await command.ExecuteNonQueryAsync();
        }

        var adopted = await Tool.RunAsync(database.ConnectionString, "migrate", "--adopt");

        Assert.That((adopted.ExitCode, adopted.Error), Is.EqualTo((0, "")));
        Assert.That(adopted.Column("state"), Is.Not.Empty.And.All.EqualTo("adopted"));
    }
}

using CrawlData.Schema;
using CrawlData.Testing;
using Dapper;

namespace CrawlData.Tests.Cli;

[Parallelizable(ParallelScope.All)]
public sealed class MigrateCommandTests
{
    private static readonly ThrowawayDatabaseOptions Empty = new() { Migrate = false, Logger = TestLog.Instance };

    [Test]
    public async Task Eight_concurrent_processes_run_each_script_once()
    {
        await using var database = await ThrowawayDatabase.StartAsync(Empty);
        var pending = await Tool.RunAsync(database.ConnectionString, "migrate", "--pending");
        var status = await Tool.RunAsync(database.ConnectionString, "status");
        Assert.That(
            status.Rows.Single().ToElement().GetProperty("scripts").EnumerateArray().Select(script => script.GetProperty("script").GetString()),
            Is.EqualTo(pending.Column("script")));
        Assert.That(status.Error.TrimEnd(), Does.EndWith("crawldata migrate creates the tables"));

        var migrations = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Tool.RunAsync(database.ConnectionString, "migrate")));
        var still = await Tool.RunAsync(database.ConnectionString, "migrate", "--pending");

        Assert.That(pending.Column("script"), Is.Not.Empty.And.Ordered);
        Assert.That(pending.Column("state"), Is.All.EqualTo("pending"));
        Assert.That(migrations.Select(migration => (migration.ExitCode, migration.Error)), Is.All.EqualTo((0, "")));
        Assert.That(migrations.SelectMany(migration => migration.Column("script")), Is.EqualTo(pending.Column("script")));
        Assert.That(migrations.SelectMany(migration => migration.Column("state")), Is.All.EqualTo("applied"));
        Assert.That((still.ExitCode, still.Output, still.Error), Is.EqualTo((0, "", "")));
    }

    /// <summary>Fails without the check for a lost client: the backend of the killed process then waits on and keeps the migration lock.</summary>
    [Test]
    public async Task After_a_process_is_killed_within_a_script_the_next_one_completes_the_migration()
    {
        await using var database = await ThrowawayDatabase.StartAsync(Empty);
        await using var blocker = await database.DataSource.OpenConnectionAsync();
        await using var blocking = await blocker.BeginTransactionAsync();
        await blocker.ExecuteAsync("create table crawl_events (id int)");
        using var killed = Tool.Start(database.ConnectionString, ["migrate"]);
        await Wait.UntilAsync(
            database.DataSource,
            "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')");

        killed.Kill();
        await killed.WaitForExitAsync();

        // The backend ends while the lock that it waits for is still held.
        await Wait.UntilAsync(
            database.DataSource,
            """
            select not exists (
                select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock')
            """);
        await blocking.RollbackAsync();
        Assert.That(await blocker.ExecuteScalarAsync<long>("select count(*) from pg_class where relname in ('crawl_runs', 'crawl_events')"), Is.Zero);
        var next = await Tool.RunAsync(database.ConnectionString, "migrate");
        Assert.That((next.ExitCode, next.Error), Is.EqualTo((0, "")));
        Assert.That(next.Column("script"), Has.Count.EqualTo(SchemaScript.All.Count));
    }

    [Test]
    public async Task Tables_that_were_created_by_hand_are_adopted()
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

using CrawlData.Schema;
using CrawlData.Testing;

namespace CrawlData.Tests.Cli;

[Parallelizable(ParallelScope.All)]
public sealed class ScriptCommandTests
{
    [Test]
    public async Task It_prints_the_pending_scripts_and_a_comment_when_none_is_pending()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false, Logger = TestLog.Instance });
        var migrator = new SchemaMigrator(database.DataSource);

        var pending = await Tool.RunAsync(database.ConnectionString, "script");
        Assert.That((pending.ExitCode, pending.Output, pending.Error), Is.EqualTo((0, await migrator.GetPendingSqlAsync(), "")));

        await migrator.MigrateAsync();
        var none = await Tool.RunAsync(database.ConnectionString, "script");
        Assert.That((none.ExitCode, none.Output, none.Error), Is.EqualTo((0, "-- No script is pending.\n", "")));
    }

    [Test]
    public async Task It_prints_all_scripts_without_a_connection()
    {
        var all = await Tool.RunAsync(null, "script", "--all");

        Assert.That((all.ExitCode, all.Output, all.Error), Is.EqualTo((0, SchemaMigrator.GetAllSql(), "")));
    }
}

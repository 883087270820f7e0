using CrawlData.Schema;

namespace CrawlData.Tests.Schema;

public sealed class SchemaScriptTests : MigratorTest
{
    [Test]
    public async Task A_script_that_was_edited_after_it_ran_is_an_error()
    {
        await Migrator(new SchemaScript("001_a.sql", "create table a ();")).MigrateAsync();

        await Assert.ThrowsAsync<ScriptChangedException>(() => Migrator(new SchemaScript("001_a.sql", "create table b ();")).GetPendingSqlAsync());
    }
}

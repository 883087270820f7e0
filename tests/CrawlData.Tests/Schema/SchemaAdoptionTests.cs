using CrawlData.Schema;

namespace CrawlData.Tests.Schema;

public sealed class SchemaAdoptionTests : MigratorTest
{
    [Test]
    public async Task Tables_made_by_hand_are_adopted_and_the_rest_is_migrated()
    {
        await ExecuteAsync(Sql("001_crawl_schema.sql"));
        await ExecuteAsync(
            "insert into crawl_runs (app_package) values ('org.example.app'); create index of_ours on crawl_runs (app_package); create table ours (id int)");
        var migrator = new SchemaMigrator(DataSource);

        Assert.That(await migrator.AdoptAsync(), Is.EqualTo(AllScripts.Take(1)));
        Assert.That(await migrator.MigrateAsync(), Is.EqualTo(AllScripts.Skip(1)));
        Assert.That(await ScalarAsync<long>("select count(*) from crawl_runs"), Is.EqualTo(1));
        Assert.That(await migrator.AdoptAsync(), Is.Empty);
    }

    [Test]
    public async Task All_of_the_schema_can_be_adopted()
    {
        await ExecuteAsync(string.Concat(AllScripts.Select(Sql)));
        var migrator = new SchemaMigrator(DataSource);

        Assert.That(await migrator.AdoptAsync(), Is.EqualTo(AllScripts));
        Assert.That(await migrator.ListPendingAsync(), Is.Empty);
    }

    [Test]
    public async Task Indexes_of_a_later_script_may_be_missing()
    {
        await ExecuteAsync(Sql("001_crawl_schema.sql") + Sql("002_audit_schema.sql"));
        var migrator = new SchemaMigrator(DataSource);

        Assert.That(await migrator.AdoptAsync(), Is.EqualTo(AllScripts.Take(2)));
        Assert.That(await migrator.MigrateAsync(), Is.EqualTo(AllScripts.Skip(2)));
    }

    /// <summary>An operator builds the indexes of a large table with CREATE INDEX CONCURRENTLY before the migration.</summary>
    [Test]
    public async Task Indexes_built_before_the_migration_are_adopted_unless_one_is_invalid([Values] bool isValid)
    {
        await ExecuteAsync(string.Concat(AllScripts.Take(3).Select(Sql)));
        var migrator = new SchemaMigrator(DataSource);
        await migrator.AdoptAsync();
        foreach (var statement in Sql(AllScripts[3]).Split(';', StringSplitOptions.RemoveEmptyEntries).Where(part => part.Contains("create index")))
        {
            await ExecuteAsync(statement.Replace("create index", "create index concurrently", StringComparison.Ordinal));
        }

        if (!isValid)
        {
            await ExecuteAsync("update pg_index set indisvalid = false where indexrelid = 'idx_crawl_runs_status_created_at'::regclass");
            var exception = await Assert.ThrowsAsync<SchemaMismatchException>(() => migrator.AdoptAsync());
            Assert.That(exception!.Differences.Single().ToString(), Does.Contain("idx_crawl_runs_status_created_at").And.EndWith(", invalid"));
            return;
        }

        Assert.That(await migrator.AdoptAsync(), Is.EqualTo(AllScripts[3..4]));
        await migrator.MigrateAsync();
        Assert.That(await migrator.VerifySchemaAsync(), Is.Empty);
    }

    [Test]
    public async Task An_empty_database_has_nothing_to_adopt()
    {
        Assert.That(await new SchemaMigrator(DataSource).AdoptAsync(), Is.Empty);
        Assert.That(await ExistsAsync("crawldata_journal"), Is.False);
    }

    [TestCase(
        "alter table crawl_runs alter max_steps type bigint",
        "changed: column crawl_runs.max_steps: expected integer not null default 100, is bigint not null default 100")]
    [TestCase("alter table crawl_runs add owner text not null", "extra: column crawl_runs.owner: text not null")]
    [TestCase(
        "alter table crawl_events drop constraint crawl_events_crawl_id_fkey",
        "missing: constraint crawl_events.crawl_events_crawl_id_fkey: FOREIGN KEY (crawl_id) REFERENCES crawl_runs(id) ON DELETE CASCADE")]
    [TestCase(
        "drop index idx_crawl_events_crawl_id",
        "missing: index idx_crawl_events_crawl_id: CREATE INDEX idx_crawl_events_crawl_id ON crawl_events USING btree (crawl_id, id)")]
    [TestCase("create table artifacts (id int)", "changed: column artifacts.id: expected uuid not null default gen_random_uuid(), is integer")]
    public async Task A_database_that_differs_is_not_adopted_and_the_difference_is_named(string change, string difference)
    {
        await ExecuteAsync(Sql("001_crawl_schema.sql"));
        await ExecuteAsync(change);

        var exception = await Assert.ThrowsAsync<SchemaMismatchException>(() => new SchemaMigrator(DataSource).AdoptAsync());

        Assert.That(exception!.Differences.Select(each => each.ToString()), Has.Some.EqualTo(difference));
        Assert.That(await ExistsAsync("crawldata_journal"), Is.False);
    }

    [Test]
    public async Task A_migration_of_existing_tables_names_the_script()
    {
        await ExecuteAsync(Sql("001_crawl_schema.sql"));

        var exception = await Assert.ThrowsAsync<MigrationException>(() => new SchemaMigrator(DataSource).MigrateAsync());

        Assert.That(exception!.Script, Is.EqualTo("001_crawl_schema.sql"));
    }

    private static string Sql(string name) => SchemaScript.All.Single(script => script.Name == name).Sql;
}

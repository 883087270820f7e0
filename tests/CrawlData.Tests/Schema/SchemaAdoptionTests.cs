using CrawlData.Schema;

namespace CrawlData.Tests.Schema;

public sealed class SchemaAdoptionTests : MigratorTest
{
    [Test]
    public async Task Tables_made_by_hand_are_adopted_and_the_rest_is_migrated()
    {
        await ExecuteAsync(Sql("001_crawl_schema.sql"));
        await ExecuteAsync("insert into crawl_runs (app_package) values ('org.example.app'); create index of_ours on crawl_runs (app_package); create table ours (id int)");
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
        Assert.That(await migrator.GetPendingAsync(), Is.Empty);
    }

    [Test]
    public async Task Indexes_that_a_later_script_makes_need_not_be_there()
    {
        await ExecuteAsync(Sql("001_crawl_schema.sql") + Sql("002_audit_schema.sql"));
        var migrator = new SchemaMigrator(DataSource);

        Assert.That(await migrator.AdoptAsync(), Is.EqualTo(AllScripts.Take(2)));
        Assert.That(await migrator.MigrateAsync(), Is.EqualTo(AllScripts.Skip(2)));
    }

    [Test]
    public async Task An_empty_database_has_nothing_to_adopt()
    {
        Assert.That(await new SchemaMigrator(DataSource).AdoptAsync(), Is.Empty);
        Assert.That(await ExistsAsync("crawldata_journal"), Is.False);
    }

    [TestCase("alter table crawl_runs alter max_steps type bigint", "column crawl_runs.max_steps integer")]
    [TestCase("alter table crawl_runs alter max_steps drop not null", "column crawl_runs.max_steps integer")]
    [TestCase("alter table crawl_runs alter created_at set default now()", "column crawl_runs.created_at timestamp without time zone")]
    [TestCase("alter table crawl_runs add owner text not null", "not expected: column crawl_runs.owner text not null")]
    [TestCase("alter table crawl_events drop constraint crawl_events_crawl_id_fkey", "missing: constraint crawl_events FOREIGN KEY")]
    [TestCase("drop index idx_crawl_events_crawl_id", "missing: index CREATE INDEX idx_crawl_events_crawl_id")]
    [TestCase("alter type crawl_status add value 'PAUSED'", "type crawl_status enum")]
    [TestCase("drop table crawl_events", "missing: table crawl_events")]
    [TestCase("alter sequence crawl_events_id_seq cache 20", "missing: sequence crawl_events_id_seq increment 1 cache 1")]
    [TestCase("create table artifacts (id int)", "not expected: column artifacts.id integer")]
    public async Task A_database_that_differs_is_not_adopted_and_the_difference_is_named(string change, string difference)
    {
        await ExecuteAsync(Sql("001_crawl_schema.sql"));
        await ExecuteAsync(change);

        var exception = await Assert.ThrowsAsync<SchemaMismatchException>(() => new SchemaMigrator(DataSource).AdoptAsync());

        Assert.That(exception!.Differences, Has.Some.Contains(difference));
        Assert.That(await ExistsAsync("crawldata_journal"), Is.False);
        Assert.That(await ScalarAsync<long>("select count(*) from pg_namespace where nspname = 'crawldata_adopt'"), Is.Zero);
    }

    [Test]
    public async Task Without_adoption_the_script_that_is_there_already_is_named()
    {
        await ExecuteAsync(Sql("001_crawl_schema.sql"));

        var exception = await Assert.ThrowsAsync<MigrationException>(() => new SchemaMigrator(DataSource).MigrateAsync());

        Assert.That(exception!.Script, Is.EqualTo("001_crawl_schema.sql"));
    }

    private static string Sql(string name) => SchemaScript.All.Single(script => script.Name == name).Sql;
}

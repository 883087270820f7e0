using CrawlData.Schema;
using Npgsql;

namespace CrawlData.Tests.Schema;

/// <summary>A journal through which another role could have code run as the role that migrates. The roles are made in a database of their own.</summary>
public sealed class UntrustedJournalTests : MigratorTest
{
    private readonly string name = $"crawldata_test_{Guid.NewGuid():N}";

    private string Owner => $"{name}_owner";

    private string Login => $"{name}_login";

    [SetUp]
    public Task CreateRolesAsync() => ExecuteAsync(
        $"create role {Owner}; create role {Login} login password 'of a test'; grant all on schema public to {Owner}, {Login}; {SchemaJournal.CreateSql}; "
        + $"grant all on crawldata_journal to {Login}");

    [TearDown]
    public Task DropRolesAsync() => ExecuteAsync($"drop owned by {Login}, {Owner} cascade; drop role {Login}, {Owner}");

    [Test]
    public async Task A_journal_of_another_role_is_refused_before_anything_runs([Values] bool bySuperuser)
    {
        await ExecuteAsync($"alter table crawldata_journal owner to {Owner}");
        await using var login = AsLogin();
        var migrator = new SchemaMigrator(bySuperuser ? DataSource : login);

        foreach (var call in new Func<Task>[] { () => migrator.MigrateAsync(), () => migrator.AdoptAsync() })
        {
            await Assert.ThatAsync(
                call, Throws.TypeOf<UntrustedJournalException>().With.Property("Owner").EqualTo(Owner).And.Message.Contains($"belongs to {Owner}"));
        }

        Assert.That(await ExistsAsync("crawl_runs"), Is.False);
    }

    [Test]
    public async Task A_journal_of_a_superuser_or_of_a_group_of_the_role_is_trusted([Values] bool ofGroup)
    {
        await ExecuteAsync($"grant {Owner} to {Login}; alter table crawldata_journal owner to {(ofGroup ? Owner : "current_user")}");
        await using var login = AsLogin();

        Assert.That(await new SchemaMigrator(login).MigrateAsync(), Is.EqualTo(AllScripts));
    }

    /// <summary>As on a server where the migration is a step of its own.</summary>
    [Test]
    public async Task A_role_that_does_not_own_the_journal_may_find_nothing_pending()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        await ExecuteAsync($"alter table crawldata_journal owner to {Owner}; grant select on crawldata_journal to {Login}");
        await using var login = AsLogin();

        Assert.That(await new SchemaMigrator(login).MigrateAsync(), Is.Empty);
    }

    [TestCase(
        "trigger copy_row",
        "create trigger copy_row before update on crawldata_journal for each row execute function suppress_redundant_updates_trigger()")]
    [TestCase("rule copy_row", "create rule copy_row as on insert to crawldata_journal do also notify copied")]
    public async Task A_trigger_or_a_rule_on_the_journal_is_refused_and_its_remedy_mends_it(string trigger, string create)
    {
        await ExecuteAsync(create);
        var migrator = new SchemaMigrator(DataSource);

        foreach (var call in new Func<Task>[] { () => migrator.MigrateAsync(), () => migrator.AdoptAsync(), () => migrator.GetPendingSqlAsync() })
        {
            await Assert.ThatAsync(
                call, Throws.TypeOf<UntrustedJournalException>().With.Property("Triggers").EqualTo(new[] { trigger })
                    .And.Message.EndsWith($"drop {trigger} on crawldata_journal"));
        }

        Assert.That(await ExistsAsync("crawl_runs"), Is.False);
        await ExecuteAsync($"drop {trigger} on crawldata_journal");
        Assert.That(await migrator.MigrateAsync(), Is.EqualTo(AllScripts));
    }

    [Test]
    public async Task A_journal_that_is_another_role_s_view_or_has_its_policies_is_not_read([Values] bool isView)
    {
        await ExecuteAsync(
            (isView
                ? "drop table crawldata_journal; create view crawldata_journal as select 'a'::text as script_name, 'b'::text as script_hash; "
                : "alter table crawldata_journal enable row level security; ")
            + $"alter table crawldata_journal owner to {Owner}; grant select on crawldata_journal to {Login}");
        await using var login = AsLogin();

        await Assert.ThatAsync(() => new SchemaMigrator(login).ListPendingAsync(), Throws.TypeOf<UntrustedJournalException>());
    }

    private NpgsqlDataSource AsLogin() => NpgsqlDataSource.Create(
        new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = Login, Password = "of a test", Pooling = false });
}

using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using Dapper;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace CrawlData.Tests.Schema;

public sealed class SchemaMigratorTests : MigratorTest
{

    [Test]
    public async Task An_empty_database_gets_every_script_once_in_order()
    {
        var migrator = new SchemaMigrator(DataSource);

        Assert.That(await migrator.ListPendingAsync(), Is.EqualTo(AllScripts));
        Assert.That(await ExistsAsync("crawldata_journal"), Is.False, "asking changes nothing");
        Assert.That(await migrator.MigrateAsync(), Is.EqualTo(AllScripts));
        Assert.That(await migrator.ListPendingAsync(), Is.Empty);
        Assert.That(await migrator.MigrateAsync(), Is.Empty);
        Assert.That(
            await ScalarAsync<long>("select count(*) from crawldata_journal where applied_at > now() - interval '30 minutes'"), Is.EqualTo(AllScripts.Length));
    }

    [Test]
    public async Task Instances_that_start_at_once_all_succeed_and_run_each_script_once()
    {
        var script = new SchemaScript(
            "001_data.sql", "create table ran (at timestamptz default clock_timestamp()); insert into ran default values; select pg_sleep(0.2)");

        var applied = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            await using var source = NpgsqlDataSource.Create(Database.ConnectionString);
            return await new SchemaMigrator(source, null, null, null, [script]).MigrateAsync();
        }));

        Assert.That(applied.Sum(names => names.Count), Is.EqualTo(1));
        Assert.That(await ScalarAsync<long>("select count(*) from ran"), Is.EqualTo(1));
    }

    [Test]
    public async Task A_script_edited_after_it_ran_is_an_error_that_names_it()
    {
        await Migrator(new SchemaScript("001_a.sql", "create table a ()\n;"), new SchemaScript("002_b.sql", "create table b ()")).MigrateAsync();
        var edited = Migrator(
            new SchemaScript("001_a.sql", "create table a ()\n;"),
            new SchemaScript("002_b.sql", "create table b (id int)"),
            new SchemaScript("003_c.sql", "create table c ()"));

        var exception = await Assert.ThrowsAsync<ScriptChangedException>(() => edited.MigrateAsync());

        Assert.That(exception!.Script, Is.EqualTo("002_b.sql"));
        Assert.That(exception.Message, Does.Contain("002_b.sql"));
        Assert.That(await ExistsAsync("c"), Is.False);
        await Assert.ThrowsAsync<ScriptChangedException>(() => edited.ListPendingAsync());
        Assert.That(await Migrator(new SchemaScript("001_a.sql", "create table a ()\r\n;")).ListPendingAsync(), Is.Empty, "how lines end is no edit");
    }

    [Test]
    public async Task A_failing_script_is_a_typed_exception_and_is_rolled_back()
    {
        var migrator = Migrator(
            new SchemaScript("001_good.sql", "create table good ()"),
            new SchemaScript("002_bad.sql", "create table bad (); insert into good values (1); create table never ()"),
            new SchemaScript("003_later.sql", "create table later ()"));

        var exception = await Assert.ThrowsAsync<MigrationException>(() => migrator.MigrateAsync());

        Assert.That(exception!.Script, Is.EqualTo("002_bad.sql"));
        Assert.That(exception.Message, Does.Contain("002_bad.sql").And.Contain(PostgresErrorCodes.SyntaxError));
        Assert.That(exception.InnerException, Is.InstanceOf<PostgresException>());
        Assert.That((await ExistsAsync("good"), await ExistsAsync("bad"), await ExistsAsync("later")), Is.EqualTo((true, false, false)));
        Assert.That(await migrator.ListPendingAsync(), Is.EqualTo(new[] { "002_bad.sql", "003_later.sql" }));
        await AssertUnlockedAsync();
    }

    /// <summary>Goes red when the script and its journal line have separate transactions.</summary>
    [Test]
    public async Task A_script_and_its_journal_line_are_committed_together()
    {
        var migrator = Migrator(
            new SchemaScript("001_twice.sql", "create table twice (); insert into crawldata_journal values ('001_twice.sql', 'another hash')"));

        await Assert.ThrowsAsync<MigrationException>(() => migrator.MigrateAsync());

        Assert.That(await ExistsAsync("twice"), Is.False);
        Assert.That(await migrator.ListPendingAsync(), Is.EqualTo(new[] { "001_twice.sql" }));
    }

    [Test]
    public async Task A_dollar_quoted_body_is_not_a_variable()
    {
        var script = new SchemaScript(
            "001_function.sql", "create function one() returns int language plpgsql as $body$ begin return 1; end $body$; select one();");

        Assert.That(await Migrator(script).MigrateAsync(), Has.Count.EqualTo(1));
        Assert.That(await ScalarAsync<int>("select one()"), Is.EqualTo(1));
    }

    /// <summary>Every role that may connect can take the lock. The migrator is no superuser here, so it sees what such a role may see.</summary>
    [Test]
    public async Task A_wait_that_ends_at_its_limit_names_the_session_that_holds_the_lock()
    {
        var (holder, migrating) = ($"holder_{Guid.NewGuid():N}", $"migrating_{Guid.NewGuid():N}");
        var database = new NpgsqlConnectionStringBuilder(Database.ConnectionString).Database;
        await ExecuteAsync(
            $"""
            create role {holder} login password 'of a test'; create role {migrating} login password 'of a test';
            grant create on schema public to {migrating}; grant create on database "{database}" to {migrating}
            """);
        try
        {
            await using var holding = NpgsqlDataSource.Create(As(holder));
            await using var source = NpgsqlDataSource.Create(As(migrating));
            await using var other = await holding.OpenConnectionAsync();
            await other.ExecuteAsync(MigrationLock.TryLockSql);
            var log = new LoggedEvents<SchemaMigrator>(3);
            var migrator = new SchemaMigrator(source, new SchemaMigratorOptions { LockTimeout = TimeSpan.FromMilliseconds(200) }, logger: log);

            var error = await Assert.ThrowsAsync<MigrationLockTimeoutException>(() => migrator.MigrateAsync());

            Assert.That(error!.ProcessIds, Is.EqualTo(new[] { other.ProcessID }));
            Assert.That(error.Message, Does.Contain($"by process {other.ProcessID} of role {holder}. "));
            Assert.That(error.Message, Does.Contain("LockTimeout").And.Contain($"select pg_catalog.pg_terminate_backend({other.ProcessID});"));
            Assert.That(log.Received.ToList(), Has.Count.EqualTo(1).And.All.Contains($"process {other.ProcessID} of role {holder}."));
            await ExecuteAsync(error.Message[error.Message.IndexOf("select pg_catalog.pg_terminate_backend", StringComparison.Ordinal)..]);
            Assert.That(await migrator.MigrateAsync(), Is.EqualTo(AllScripts));
        }
        finally
        {
            await ExecuteAsync($"drop owned by {migrating} cascade; drop role {holder}; drop role {migrating}");
        }

        NpgsqlConnectionStringBuilder As(string role) =>
            new(Database.ConnectionString) { Username = role, Password = "of a test", Pooling = false };
    }

    [Test]
    public async Task Without_a_pending_script_nobody_waits_for_the_lock()
    {
        var migrator = new SchemaMigrator(DataSource, new SchemaMigratorOptions { LockTimeout = TimeSpan.Zero });
        await migrator.MigrateAsync();
        await using var other = await DataSource.OpenConnectionAsync();
        await other.ExecuteAsync(MigrationLock.TryLockSql);

        Assert.That(await migrator.MigrateAsync(), Is.Empty);
    }

    [Test]
    public async Task Cancellation_ends_the_running_script_and_rolls_it_back()
    {
        using var cancellation = new CancellationTokenSource();
        var migrating = Migrator(new SchemaScript("001_slow.sql", "create table slow (); select pg_sleep(600)")).MigrateAsync(cancellation.Token);
        await Wait.UntilAsync(
            DataSource, "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')");

        await cancellation.CancelAsync();
        await Assert.ThatAsync(() => migrating.WaitAsync(Wait.Longest, CancellationToken.None), Throws.InstanceOf<OperationCanceledException>());

        Assert.That(await ExistsAsync("slow"), Is.False);
        await AssertUnlockedAsync();
    }

    /// <summary>A session lock stays on a pooled connection unless it is released.</summary>
    [Test]
    public async Task No_lock_stays_in_a_pool_that_does_not_reset_its_connections()
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { NoResetOnClose = true });
        await using (var connection = await source.OpenConnectionAsync())
        {
            await connection.ExecuteAsync("select 1");
        }

        await new SchemaMigrator(source).AdoptAsync();

        await AssertUnlockedAsync();
    }

    [Test]
    public async Task A_data_source_opened_before_the_migration_is_usable_at_once()
    {
        var builder = new NpgsqlDataSourceBuilder(Database.ConnectionString);
        builder.MapEnum<CrawlStatus>("crawl_status", new UpperCase());
        await using var source = builder.Build();
        await using (var one = await source.OpenConnectionAsync())
        await using (var another = await source.OpenConnectionAsync())
        {
            await one.ExecuteAsync("select 1");
            await another.ExecuteAsync("select 1");
        }

        await new SchemaMigrator(source).MigrateAsync();

        var run = await new CrawlRunRepository(source).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        await new CrawlEventRepository(source).AppendAsync(run.Id, new NewCrawlEvent { EventType = "step", Payload = default });
        await using var command = source.CreateCommand("select status from crawl_runs");
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        Assert.That(reader.GetFieldValue<CrawlStatus>(0), Is.EqualTo(CrawlStatus.Pending), "the application's own enum mapping works too");
    }

    [Test]
    public async Task The_schema_is_created_on_the_search_path()
    {
        await ExecuteAsync("create schema crawling");
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { SearchPath = "crawling" });

        await new SchemaMigrator(source).MigrateAsync();

        Assert.That((await ExistsAsync("crawling.crawl_runs"), await ExistsAsync("public.crawl_runs")), Is.EqualTo((true, false)));
        await new CrawlRunRepository(source).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        Assert.That(await ScalarAsync<long>("select count(*) from crawling.crawl_runs"), Is.EqualTo(1));
    }

    [Test]
    public async Task Only_the_first_schema_of_the_search_path_counts()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        await ExecuteAsync("create schema \"Tenant-1\"");
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { SearchPath = "\"Tenant-1\", public" });

        Assert.That(await new SchemaMigrator(source).MigrateAsync(), Is.EqualTo(AllScripts));
        await new CrawlRunRepository(source).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });

        Assert.That(await ScalarAsync<long>("select count(*) from \"Tenant-1\".crawl_runs"), Is.EqualTo(1));
        Assert.That(await ScalarAsync<long>("select count(*) from public.crawl_runs"), Is.Zero);
        await ExecuteAsync("drop table \"Tenant-1\".crawldata_journal");
        Assert.That(await new SchemaMigrator(source).AdoptAsync(), Is.EqualTo(AllScripts));
    }

    /// <summary>By default the first schema of the path is that with the role's name.</summary>
    [Test]
    public async Task A_schema_that_appears_with_the_role_s_name_gets_no_second_set_of_tables()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        var role = await ScalarAsync<string>("select quote_ident(current_user)");
        await ExecuteAsync($"create schema {role}");
        DataSource.Clear();
        var migrator = new SchemaMigrator(DataSource);

        foreach (var call in new Func<Task>[] { () => migrator.MigrateAsync(), () => migrator.AdoptAsync(), () => migrator.ListPendingAsync() })
        {
            await Assert.ThatAsync(call, Throws.InstanceOf<MigrationException>().With.Message.Contains("public.crawldata_journal"));
        }

        Assert.That(await ExistsAsync($"{role}.crawl_runs"), Is.False);
        var check = new CrawlDataHealthCheck(DataSource);
        var health = await check.CheckHealthAsync(
            new HealthCheckContext { Registration = new HealthCheckRegistration("crawldata", check, HealthStatus.Unhealthy, null) });
        Assert.That(health.Status, Is.EqualTo(HealthStatus.Unhealthy));
        Assert.That(health.Description, Does.Contain("public.crawldata_journal"));

        await using var named = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { SearchPath = "public" });
        Assert.That(await new SchemaMigrator(named).MigrateAsync(), Is.Empty);
    }

    [TestCase("statement_timeout")]
    [TestCase("transaction_timeout")]
    public async Task A_script_that_takes_longer_than_a_time_out_of_the_role_is_applied(string setting)
    {
        if (!await ScalarAsync<bool>($"select current_setting('{setting}', true) is not null"))
        {
            Assert.Pass($"Only another major version has {setting}.");
        }

        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = $"-c {setting}=600ms" });
        var script = new SchemaScript("001_slow.sql", "create table slow (); select pg_sleep(1.2)");

        Assert.That(await new SchemaMigrator(dataSource, null, TestLog.Instance, null, [script]).MigrateAsync(), Is.EqualTo(new[] { script.Name }));
        await using var connection = await dataSource.OpenConnectionAsync();
        Assert.That(await connection.ExecuteScalarAsync<string>($"show {setting}"), Is.EqualTo("600ms"));
    }

    [Test]
    public async Task A_multiplexing_data_source_is_refused()
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Multiplexing = true });

        var exception = await Assert.ThrowsAsync<MigrationException>(() => new SchemaMigrator(source).MigrateAsync());

        Assert.That(exception!.Message, Does.Contain("multiplexes"));
    }

    [Test]
    public async Task A_database_that_cannot_store_every_character_is_refused()
    {
        var latin = $"latin_{Guid.NewGuid():N}";
        await ExecuteAsync($"create database {latin} template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'");
        try
        {
            await using var source = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Database = latin, Pooling = false });

            var exception = await Assert.ThrowsAsync<MigrationException>(() => new SchemaMigrator(source).MigrateAsync());

            Assert.That(exception!.Message, Does.Contain("LATIN1"));
        }
        finally
        {
            await ExecuteAsync($"drop database {latin} with (force)");
        }
    }

    /// <summary>The connection keeps no setting of the wait.</summary>
    [Test]
    public async Task A_wait_that_ends_at_its_limit_resets_the_connection()
    {
        await using var other = await DataSource.OpenConnectionAsync();
        await other.ExecuteAsync(MigrationLock.TryLockSql);
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { NoResetOnClose = true, MaxPoolSize = 1 });

        await Assert.ThrowsAsync<MigrationLockTimeoutException>(
            () => new SchemaMigrator(source, new SchemaMigratorOptions { LockTimeout = TimeSpan.Zero }).MigrateAsync());

        await using var show = source.CreateCommand("show client_connection_check_interval");
        Assert.That(await show.ExecuteScalarAsync(), Is.EqualTo("0"));
    }

    [Test]
    public void Scripts_are_numbered_from_001_without_gap_and_named_in_snake_case()
    {
        Assert.That(SchemaScript.All.Select(script => script.Name), Is.All.Match(@"^\d{3}_[a-z0-9_]+\.sql$"));
        Assert.That(
            SchemaScript.All.Select(script => int.Parse(script.Name[..3], System.Globalization.CultureInfo.InvariantCulture)),
            Is.EqualTo(Enumerable.Range(1, SchemaScript.All.Count)));
        Assert.That(SchemaScript.All.Select(script => script.Name), Is.EqualTo(AllScripts));
    }

    private Task AssertUnlockedAsync() =>
        Wait.UntilAsync(
            DataSource,
            """
            select not exists (
                select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()))
            """);

    private sealed class UpperCase : INpgsqlNameTranslator
    {
        public string TranslateTypeName(string clrName) => clrName;

        public string TranslateMemberName(string clrName) => clrName.ToUpperInvariant();
    }
}

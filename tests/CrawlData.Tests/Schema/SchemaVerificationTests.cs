using CrawlData.Schema;
using CrawlData.Testing;
using CrawlData.Tests.Documentation;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Schema;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Parallelizable(ParallelScope.All)]
public sealed class SchemaVerificationTests
{
    // Each change with the differences that it makes. Changes that do not touch one another share a database, because each verification runs all scripts.
    private static readonly (string Change, string[] Differences)[][] Differences =
    [
        [
            ("drop table crawl_logs", ["missing: table crawl_logs: table"]),
            ("drop index idx_crawl_events_crawl_id",
            [
                "missing: index idx_crawl_events_crawl_id: CREATE INDEX idx_crawl_events_crawl_id ON crawl_events USING btree (crawl_id, id)",
            ]),
            ("alter table audit_sessions drop pdp_url", ["missing: column audit_sessions.pdp_url: text"]),
            ("alter table artifacts drop constraint artifacts_page_id_fkey",
            [
                "missing: constraint artifacts.artifacts_page_id_fkey: FOREIGN KEY (page_id) REFERENCES audit_pages(id) ON DELETE CASCADE",
            ]),
            ("alter table audit_pages alter page_type type text; drop type page_type_enum",
            [
                "missing: type page_type_enum: enum ('homepage', 'pdp')",
                "changed: column audit_pages.page_type: expected page_type_enum not null, is text not null",
            ]),
            ("alter type crawl_status add value 'PAUSED'",
            [
                "changed: type crawl_status: expected enum ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'), is enum ('PENDING', 'RUNNING', "
                    + "'COMPLETED', 'FAILED', 'CANCELLED', 'PAUSED')",
            ]),
            ("alter table crawl_runs alter max_steps type bigint",
            [
                "changed: column crawl_runs.max_steps: expected integer not null default 100, is bigint not null default 100",
            ]),
            ("alter table crawl_events alter created_at set default now()",
            [
                "changed: column crawl_events.created_at: expected timestamp without time zone not null default (now() AT TIME ZONE 'utc'::text), is "
                    + "timestamp without time zone not null default now()",
            ]),
            ("alter table audit_sessions alter url type text collate \"C\"",
            [
                "changed: column audit_sessions.url: expected text not null, is text collate \"C\" not null",
            ]),
            ("alter table artifacts drop checksum, add checksum text generated always as (storage_uri || '#') stored",
            [
                "changed: column artifacts.checksum: expected text, is text generated always as (storage_uri || '#'::text)",
            ]),
            ("alter table crawl_events drop constraint crawl_events_crawl_id_fkey, add foreign key (crawl_id) references crawl_runs (id)",
            [
                "changed: constraint crawl_events.crawl_events_crawl_id_fkey: expected FOREIGN KEY (crawl_id) REFERENCES crawl_runs(id) ON DELETE CASCADE, "
                    + "is FOREIGN KEY (crawl_id) REFERENCES crawl_runs(id)",
            ]),
            ("update pg_index set indisvalid = false where indexrelid = 'ix_artifacts_page_id'::regclass",
            [
                "changed: index ix_artifacts_page_id: expected CREATE INDEX ix_artifacts_page_id ON artifacts USING btree (page_id), is CREATE INDEX "
                    + "ix_artifacts_page_id ON artifacts USING btree (page_id), invalid",
            ]),
            ("create index half_made on crawl_events (event_type); update pg_index set indisvalid = false where indexrelid = 'half_made'::regclass",
            [
                "extra: index half_made: CREATE INDEX half_made ON crawl_events USING btree (event_type), invalid",
            ]),
            ("alter table crawldata_journal set unlogged", ["changed: table crawldata_journal: expected table, is unlogged table"]),
            ("alter table crawl_events enable row level security, force row level security",
            [
                "changed: table crawl_events: expected table, is table with row level security forced",
            ]),
            ("alter sequence crawl_events_id_seq cache 20 cycle",
            [
                "changed: sequence crawl_events_id_seq: expected bigint increment 1 from 1 to 9223372036854775807 cache 1 owned by crawl_events.id, is "
                    + "bigint increment 1 from 1 to 9223372036854775807 cache 20 cycle owned by crawl_events.id",
            ]),
            ("alter table crawl_runs add owner text not null", ["extra: column crawl_runs.owner: text not null"]),
            ("alter table audit_sessions add check (attempts < 3)",
            [
                "extra: constraint audit_sessions.audit_sessions_attempts_check: CHECK (attempts < 3)",
            ]),
            ("create unique index one_app on crawl_runs (app_package)",
            [
                "extra: index one_app: CREATE UNIQUE INDEX one_app ON crawl_runs USING btree (app_package)",
            ]),
            ("create trigger t before update on artifacts for each row execute function suppress_redundant_updates_trigger(); alter table artifacts "
                    + "disable trigger t",
            [
                "extra: trigger artifacts.t: CREATE TRIGGER t BEFORE UPDATE ON artifacts FOR EACH ROW EXECUTE FUNCTION "
                    + "suppress_redundant_updates_trigger(), disabled",
            ]),
            ("create rule nothing as on delete to crawl_events do instead nothing",
            [
                "extra: rule crawl_events.nothing: CREATE RULE nothing AS     ON DELETE TO crawl_events DO INSTEAD NOTHING;",
            ]),
            ("create table old_events () inherits (crawl_events)", ["extra: child crawl_events.old_events: old_events inherits"]),
            ("create table base (); alter table crawl_runs inherit base", ["extra: parent crawl_runs.base: inherits base"]),
        ],
        [
            ("alter table crawl_logs drop constraint crawl_logs_pkey", ["missing: constraint crawl_logs.crawl_logs_pkey: PRIMARY KEY (id)"]),
            ("alter table crawl_runs alter max_steps drop not null",
            [
                "changed: column crawl_runs.max_steps: expected integer not null default 100, is integer default 100",
            ]),
            ("alter table crawl_logs alter \"timestamp\" drop default",
            [
                "changed: column crawl_logs.\"timestamp\": expected timestamp with time zone not null default now(), is timestamp with time zone not null",
            ]),
            ("alter table crawl_events alter id drop default, alter id add generated always as identity (sequence name ids)",
            [
                "changed: column crawl_events.id: expected bigint not null default nextval('crawl_events_id_seq'::regclass), is bigint not null generated "
                    + "always as identity",
                "extra: sequence ids: bigint increment 1 from 1 to 9223372036854775807 cache 1 owned by crawl_events.id",
            ]),
            ("alter table crawl_events drop constraint crawl_events_crawl_id_fkey, add foreign key (crawl_id) references crawl_runs (id) on delete "
                    + "cascade not valid",
            [
                "changed: constraint crawl_events.crawl_events_crawl_id_fkey: expected FOREIGN KEY (crawl_id) REFERENCES crawl_runs(id) ON DELETE CASCADE, "
                    + "is FOREIGN KEY (crawl_id) REFERENCES crawl_runs(id) ON DELETE CASCADE NOT VALID",
            ]),
            ("drop index ix_artifacts_page_id; create index ix_artifacts_page_id on artifacts (page_id) where deleted_at is null",
            [
                "changed: index ix_artifacts_page_id: expected CREATE INDEX ix_artifacts_page_id ON artifacts USING btree (page_id), is CREATE INDEX "
                    + "ix_artifacts_page_id ON artifacts USING btree (page_id) WHERE deleted_at IS NULL",
            ]),
            ("alter sequence crawl_logs_id_seq owned by none",
            [
                "changed: sequence crawl_logs_id_seq: expected bigint increment 1 from 1 to 9223372036854775807 cache 1 owned by crawl_logs.id, is bigint "
                    + "increment 1 from 1 to 9223372036854775807 cache 1",
            ]),
        ],
        [
            ("alter table crawl_events disable trigger all",
            [
                "changed: constraint crawl_events.crawl_events_crawl_id_fkey: expected FOREIGN KEY (crawl_id) REFERENCES crawl_runs(id) ON DELETE CASCADE, "
                    + "is FOREIGN KEY (crawl_id) REFERENCES crawl_runs(id) ON DELETE CASCADE, triggers disabled",
            ]),
            ("alter table crawl_logs set unlogged",
            [
                "changed: sequence crawl_logs_id_seq: expected bigint increment 1 from 1 to 9223372036854775807 cache 1 owned by crawl_logs.id, is unlogged "
                    + "bigint increment 1 from 1 to 9223372036854775807 cache 1 owned by crawl_logs.id",
                "changed: table crawl_logs: expected table, is unlogged table",
            ]),
        ],
        [
            ("""
                drop table crawl_logs;
                create table crawl_logs (
                    id bigserial primary key, session_id uuid not null references audit_sessions (id) on delete cascade, level log_level_enum not null,
                    event_type event_type_enum not null, message text not null, details jsonb not null, timestamp timestamptz not null default now()
                ) partition by hash (id);
                create index ix_crawl_logs_session_timestamp on crawl_logs (session_id, timestamp);
                """,
            [
                "changed: index ix_crawl_logs_session_timestamp: "
                    + "expected CREATE INDEX ix_crawl_logs_session_timestamp ON crawl_logs USING btree (session_id, \"timestamp\"), "
                    + "is CREATE INDEX ix_crawl_logs_session_timestamp ON ONLY crawl_logs USING btree (session_id, \"timestamp\")",
                "changed: table crawl_logs: expected table, is partitioned table",
            ]),
        ],
    ];

    private ThrowawayDatabase database = null!;

    [SetUp]
    public async Task StartDatabaseAsync() => database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });

    [TearDown]
    public async Task DropDatabaseAsync() => await database.DisposeAsync();

    [Test]
    public async Task A_migrated_schema_has_no_differences() => Assert.That(await VerifyAsync(database.DataSource), Is.Empty);

    [TestCaseSource(nameof(Differences))]
    public async Task Differences_are_found(params (string Change, string[] Differences)[] changes)
    {
        foreach (var (change, _) in changes)
        {
            await ExecuteAsync(change);
        }

        Assert.That(
            (await VerifyAsync(database.DataSource)).Select(difference => difference.ToString()),
            Is.EquivalentTo(changes.SelectMany(one => one.Differences)));
    }

    [TestCase("""
        insert into crawl_runs (app_package) values ('org.example.app');
        insert into crawl_events (id, crawl_id, event_type, payload) select 7, id, 'step', '{}' from crawl_runs
        """, "changed: sequence crawl_events_id_seq: expected at least 7, is 0")]
    [TestCase("""
        insert into crawl_runs (app_package) values ('org.example.app');
        insert into crawl_events (crawl_id, event_type, payload) select id, 'step', '{}' from crawl_runs, generate_series(1, 3);
        select setval('crawl_events_id_seq', 2)
        """, "changed: sequence crawl_events_id_seq: expected at least 3, is 2")]
    [TestCase("""
        insert into audit_sessions (url, status, mode, retention_policy, crawl_policy_version, config_snapshot)
        values ('https://example.org/', 'queued', 'standard', 'standard', '1', '{}');
        insert into crawl_logs (session_id, level, event_type, message, details)
        select id, 'info', 'navigation', '', '{}' from audit_sessions, generate_series(1, 3);
        alter sequence crawl_logs_id_seq restart
        """, "changed: sequence crawl_logs_id_seq: expected at least 3, is 0")]
    public async Task A_sequence_behind_the_newest_id_is_found_and_the_documented_statement_mends_it(string change, string difference)
    {
        await ExecuteAsync(change);

        var found = (await VerifyAsync(database.DataSource)).Single();
        Assert.That(found.ToString(), Is.EqualTo(difference));
        Assert.That(await File.ReadAllTextAsync(Path.Combine(Snippets.Root, "docs", "operations.md")), Does.Contain($"{found.Remedy};"));

        await ExecuteAsync(found.Remedy!);

        Assert.That(await VerifyAsync(database.DataSource), Is.Empty);
    }

    [Test]
    public async Task A_table_or_a_sequence_of_another_kind_is_found_and_not_compared()
    {
        await ExecuteAsync(
            """
            drop table crawl_logs;
            create view crawl_logs as select 1 as id;
            alter table crawl_events alter id drop default;
            drop sequence crawl_events_id_seq;
            create table crawl_events_id_seq (id int);
            """);

        Assert.That(
            (await VerifyAsync(database.DataSource)).Select(difference => difference.Element),
            Is.EqualTo(new[] { "sequence crawl_events_id_seq", "table crawl_logs", "column crawl_events.id" }));
    }

    [TestCase("delete from crawldata_journal where script_name like '002%'", SchemaDifferenceKind.Missing, "script 002_audit_schema.sql")]
    [TestCase("update crawldata_journal set script_hash = 'other' where script_name like '002%'", SchemaDifferenceKind.Changed, "script 002_audit_schema.sql")]
    [TestCase("insert into crawldata_journal values ('999_newer.sql', 'hash')", SchemaDifferenceKind.Extra, "script 999_newer.sql")]
    public async Task Pending_edited_and_unknown_scripts_are_found(string change, SchemaDifferenceKind kind, string element)
    {
        await ExecuteAsync(change);

        Assert.That(
            (await VerifyAsync(database.DataSource)).Select(difference => (difference.Kind, difference.Element)), Is.EqualTo(new[] { (kind, element) }));
    }

    [Test]
    public async Task Further_indexes_and_objects_of_the_application_are_allowed()
    {
        await ExecuteAsync(
            """
            create index ours on crawl_events (event_type) where event_type <> 'step';
            create table our_table (id serial primary key, run_id uuid references crawl_runs (id), status crawl_status);
            create unlogged table our_other_table (like crawl_events including all);
            create view our_view as select id from crawl_runs;
            create type our_type as enum ('a');
            create type our_composite as (a int);
            create domain our_domain as text;
            create sequence our_sequence cache 10;
            create materialized view our_counts as select count(*) from crawl_events;
            """);

        Assert.That(await VerifyAsync(database.DataSource), Is.Empty);
    }

    [Test]
    public async Task The_schema_on_the_search_path_is_verified_from_its_own_objects()
    {
        await ExecuteAsync(
            "create schema \"Tenant-1\"; create schema hostile; create table hostile.pg_trigger (oid oid); create type hostile.crawl_status as enum ('?')");
        await using var tenant = Source(builder => builder.SearchPath = "\"Tenant-1\", hostile, public, pg_catalog");

        Assert.That(
            (await VerifyAsync(tenant)).Select(difference => difference.Element), Is.EqualTo(MigratorTest.AllScripts.Select(script => $"script {script}")));
        await new SchemaMigrator(tenant).MigrateAsync();
        Assert.That(await VerifyAsync(tenant), Is.Empty);

        await ExecuteAsync(
            "drop index \"Tenant-1\".ix_artifacts_page_id; "
            + "alter table \"Tenant-1\".crawl_runs alter status drop default, alter status type public.crawl_status using 'PENDING'");
        Assert.That((await VerifyAsync(tenant)).Select(difference => (difference.Element, difference.Actual)), Is.EqualTo(new[]
        {
            ("index ix_artifacts_page_id", null),
            ("column crawl_runs.status", "public.crawl_status not null"),
        }));
        Assert.That(await VerifyAsync(database.DataSource), Is.Empty);
    }

    [Test]
    public async Task An_adopted_schema_has_no_differences()
    {
        await ExecuteAsync("drop table crawldata_journal");
        await new SchemaMigrator(database.DataSource).AdoptAsync();

        Assert.That(await VerifyAsync(database.DataSource), Is.Empty);
    }

    /// <summary>The application's temporary tables stay, and are not mistaken for tables of the scripts.</summary>
    [Test]
    public async Task Verification_changes_nothing()
    {
        await using var source = Source(builder => (builder.MaxPoolSize, builder.NoResetOnClose) = (1, true));
        await using var before = source.CreateCommand("create temporary table crawl_runs (id int); insert into crawl_runs values (1)");
        await before.ExecuteNonQueryAsync();

        Assert.That(await VerifyAsync(source), Is.Empty);

        await using var after = source.CreateCommand(
            """
            select (select count(*) from pg_temp.crawl_runs)
                || ' ' || (select count(*) from pg_class where relnamespace = pg_my_temp_schema() and relkind = 'r')
                || ' ' || current_setting('search_path')
            """);
        Assert.That(await after.ExecuteScalarAsync(), Is.EqualTo("1 1 \"$user\", public"));
    }

    [Test]
    public async Task A_role_that_may_read_the_journal_and_create_temporary_tables_can_verify()
    {
        var role = $"crawldata_verifier_{Guid.NewGuid():N}";
        await ExecuteAsync($"create role {role} login password 'of the verifier'");
        try
        {
            await using var source = Source(builder => (builder.Username, builder.Password) = (role, "of the verifier"));
            await AssertNotComparableAsync(source, PostgresErrorCodes.InsufficientPrivilege);
            await ExecuteAsync($"grant select on crawldata_journal to {role}");
            Assert.That(await VerifyAsync(source), Is.Empty);
            await ExecuteAsync($"revoke temporary on database \"{new NpgsqlConnectionStringBuilder(database.ConnectionString).Database}\" from public");
            await AssertNotComparableAsync(source, PostgresErrorCodes.InsufficientPrivilege);
        }
        finally
        {
            await ExecuteAsync($"drop owned by {role}; drop role {role}");
        }
    }

    /// <summary>A read-only session behaves as a standby does.</summary>
    [Test]
    public async Task A_read_only_session_cannot_verify()
    {
        await using var source = Source(builder => builder.Options = "-c default_transaction_read_only=on");

        await AssertNotComparableAsync(source, PostgresErrorCodes.ReadOnlySqlTransaction);
    }

    /// <summary>The scripts come from two branches; the later script was released and run first.</summary>
    [Test]
    public async Task Objects_of_a_pending_script_are_not_expected()
    {
        SchemaScript first = new("001_a.sql", "create table a (id int)"),
        second = new("002_a.sql", "alter table a alter id type bigint"),
        third = new("003_a.sql", "alter table a add n int");
        await using var source = Source(builder => builder.SearchPath = "branches");
        await ExecuteAsync("create schema branches");
        await new SchemaMigrator(source, null, null, null, [first, third]).MigrateAsync();

        var differences = await new SchemaMigrator(source, null, null, null, [first, second, third]).VerifySchemaAsync();

        Assert.That(differences.Select(difference => difference.Element), Is.EqualTo(new[] { "script 002_a.sql" }));
    }

    private static async Task AssertNotComparableAsync(NpgsqlDataSource source, string sqlState)
    {
        var exception = await Assert.ThrowsAsync<SchemaNotComparableException>(() => VerifyAsync(source));

        Assert.That((exception!.InnerException as PostgresException)?.SqlState, Is.EqualTo(sqlState));
    }

    private NpgsqlDataSource Source(Action<NpgsqlConnectionStringBuilder> change)
    {
        var builder = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        change(builder);
        return NpgsqlDataSource.Create(builder);
    }

    private static Task<IReadOnlyList<SchemaDifference>> VerifyAsync(NpgsqlDataSource source) => new SchemaMigrator(source).VerifySchemaAsync();

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }
}

using CrawlData.Schema;
using CrawlData.Tests.Documentation;
using Dapper;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace CrawlData.Tests.Schema;

/// <summary>The two roles of docs/operations.md, made by its SQL: one migrates, the other is the application's.</summary>
public sealed class ApplicationRoleTests : MigratorTest
{
    private readonly string name = $"crawldata_test_{Guid.NewGuid():N}";

    private string Owner => $"{name}_migrator";

    private string User => $"{name}_app";

    [TearDown]
    public Task DropRolesAsync() => ExecuteAsync($"drop owned by {User}, {Owner}; drop role {User}, {Owner}");

    [Test]
    public async Task The_documented_roles_suffice_to_migrate_and_to_work_and_allow_no_more()
    {
        await RunAsync(block: 0);
        await using var migratorSource = NpgsqlDataSource.Create(ConnectionString(Owner));
        await new SchemaMigrator(migratorSource).MigrateAsync();
        await RunAsync(block: 1);
        await EndToEndScenario.RunAsync(ConnectionString(User), health: HealthStatus.Degraded);

        await using var migrator = await migratorSource.OpenConnectionAsync();
        await AssertRefusedAsync(
            migrator, "create database mine", "create role mine", "create schema mine", "create extension pg_trgm", "alter system set work_mem = '1MB'",
            $"set role {User}", "select * from pg_authid", "copy crawl_runs to program 'cat'");
        Assert.That(await migrator.ExecuteScalarAsync<bool>(
            "select rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls from pg_roles where rolname = current_user"), Is.False);

        await using var application = new NpgsqlConnection(ConnectionString(User));
        await application.OpenAsync();
        await AssertRefusedAsync(
            application, "create table public.mine ()", "create type public.mine as enum ()", "alter table crawl_runs add mine int",
            "alter type crawl_status add value 'MINE'", "drop table crawl_logs", "truncate crawl_logs", "drop index ix_artifacts_session_type",
            "create index on crawl_runs (goal)",
            "create schema mine", "select setval('crawl_events_id_seq', 1)", "select * from crawldata_journal", $"set role {Owner}");
    }

    [Test]
    public async Task The_documented_application_role_can_use_the_tables_of_later_scripts()
    {
        await RunAsync(block: 0);
        await using var migratorSource = NpgsqlDataSource.Create(ConnectionString(Owner));
        await new SchemaMigrator(migratorSource).MigrateAsync();
        await RunAsync(block: 1);
        await using var later = migratorSource.CreateCommand("create table later (id bigserial primary key, note text)");
        await later.ExecuteNonQueryAsync();

        await using var application = NpgsqlDataSource.Create(ConnectionString(User));
        await using var use = application.CreateCommand("insert into later (note) values ('a'); update later set note = 'b'; delete from later returning id");
        Assert.That(await use.ExecuteScalarAsync(), Is.EqualTo(1));
    }

    private static async Task AssertRefusedAsync(NpgsqlConnection connection, params string[] statements)
    {
        foreach (var statement in statements)
        {
            await Assert.ThatAsync(
                () => connection.ExecuteAsync(statement),
                Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo(PostgresErrorCodes.InsufficientPrivilege),
                statement);
        }
    }

    private string ConnectionString(string role) =>
        new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = role, Password = "of a test" }.ConnectionString;

    /// <summary>Runs a block of SQL of the page with this test's own role names, and sets a password.</summary>
    private async Task RunAsync(int block)
    {
        var page = await File.ReadAllTextAsync(Path.Combine(Snippets.Root, "docs", "operations.md"));
        var sql = page.Split("```sql\n")[block + 1].Split("```")[0]
            .Replace("crawldata_migrator", Owner, StringComparison.Ordinal).Replace("crawldata_app", User, StringComparison.Ordinal);
        await ExecuteAsync($"{sql}\nalter role {(block == 0 ? Owner : User)} password 'of a test';");
    }
}

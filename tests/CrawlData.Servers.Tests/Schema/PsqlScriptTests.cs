using System.Diagnostics;
using CrawlData.Schema;
using Npgsql;

namespace CrawlData.Tests.Schema;

/// <summary>The scripts as psql runs them.</summary>
public sealed class PsqlScriptTests : MigratorTest
{
    private const string JournalSql =
        "select string_agg(script_name || ' ' || script_hash, ', ' order by script_name) from crawldata_journal where applied_at > now() - interval "
        + "'30 minutes'";

    [Test]
    public async Task Psql_produces_the_same_database_as_a_migration()
    {
        await ExecuteAsync("create schema migrated; create schema \"by Hand\"");
        await using var migrated = Source("migrated");
        await using var byHand = Source("\"by Hand\", public");
        await new SchemaMigrator(migrated).MigrateAsync();
        var migrator = new SchemaMigrator(byHand);

        await RunPsqlAsync(await migrator.GetPendingSqlAsync());

        Assert.That(await migrator.ListPendingAsync(), Is.Empty);
        Assert.That(await migrator.VerifySchemaAsync(), Is.Empty);
        Assert.That(await migrator.GetPendingSqlAsync(), Is.EqualTo("-- No script is pending.\n"));
        await using var mine = byHand.CreateCommand(JournalSql);
        await using var theirs = migrated.CreateCommand(JournalSql);
        Assert.That(await mine.ExecuteScalarAsync(), Is.EqualTo(await theirs.ExecuteScalarAsync()).And.Contains("004_crawl_run_indexes.sql"));
    }

    [Test]
    public async Task All_scripts_are_written_without_a_database()
    {
        await RunPsqlAsync(SchemaMigrator.GetAllSql());

        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
    }

    [Test]
    public async Task Only_pending_scripts_are_written_and_scripts_run_since_are_not_repeated()
    {
        SchemaScript first = new("001_a.sql", "create table a (id int);\n"),
        second = new("002_b.sql", "insert into a values (1);\n"),
        third = new("003_c.sql", "create table c ();\n");
        await Migrator(first).MigrateAsync();
        var sql = await Migrator(first, second, third).GetPendingSqlAsync();
        await Migrator(first, second).MigrateAsync();

        await RunPsqlAsync(sql, exitCode: 3);

        Assert.That(sql, Does.Not.Contain("create table a "));
        Assert.That(await ScalarAsync<long>("select count(*) from a"), Is.EqualTo(1));
        Assert.That(await ExistsAsync("c"), Is.False, "psql stops at the first error");
    }

    [Test]
    public async Task Psql_waits_for_an_instance_that_migrates()
    {
        await using var other = await DataSource.OpenConnectionAsync();
        await using var locking = new NpgsqlCommand(MigrationLock.TryLockSql, other);
        await locking.ExecuteScalarAsync();

        var running = RunPsqlAsync(SchemaMigrator.GetAllSql());
        await Wait.UntilAsync(
            DataSource,
            """
            select exists (
                select from pg_locks
                where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database()))
            """);
        Assert.That(await ExistsAsync("crawl_runs"), Is.False);
        await using var unlocking = new NpgsqlCommand(MigrationLock.UnlockSql, other);
        await unlocking.ExecuteNonQueryAsync();
        await running;

        Assert.That(await ExistsAsync("crawl_runs"), Is.True);
    }

    private NpgsqlDataSource Source(string searchPath) =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { SearchPath = searchPath });

    private async Task RunPsqlAsync(string sql, int exitCode = 0)
    {
        var psql = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "psql.exe" : "psql")).FirstOrDefault(File.Exists);
        Assert.That(psql, Is.Not.Null, "psql is not installed: apt-get install postgresql-client");
        var database = new NpgsqlConnectionStringBuilder(Database.ConnectionString);
        using var process = Process.Start(new ProcessStartInfo(psql!, ["--no-psqlrc", "--quiet"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["PGHOST"] = database.Host,
                ["PGPORT"] = $"{database.Port}",
                ["PGUSER"] = database.Username,
                ["PGPASSWORD"] = database.Password,
                ["PGDATABASE"] = database.Database,
            },
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(sql);
        process.StandardInput.Close();
        await process.WaitForExitAsync();

        Assert.That(process.ExitCode, Is.EqualTo(exitCode), await output + await error);
    }
}

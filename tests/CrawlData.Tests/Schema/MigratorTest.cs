using CrawlData.Schema;
using CrawlData.Testing;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Schema;

/// <summary>A fixture whose cases each have an empty database.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Parallelizable(ParallelScope.All)]
public abstract class MigratorTest
{
    internal static readonly string[] AllScripts =
    [
        "001_crawl_schema.sql", "002_audit_schema.sql", "003_retention_indexes.sql", "004_crawl_run_indexes.sql", "005_crawl_log_marks.sql",
        "006_crawl_run_claims.sql", "007_audit_session_claims.sql",
    ];

    protected ThrowawayDatabase Database { get; private set; } = null!;

    protected NpgsqlDataSource DataSource => Database.DataSource;

    [SetUp]
    public async Task StartDatabaseAsync() =>
        Database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false, Logger = TestLog.Instance });

    [TearDown]
    public async Task DropDatabaseAsync() => await Database.DisposeAsync();

    internal SchemaMigrator Migrator(params SchemaScript[] scripts) => new(DataSource, null, TestLog.Instance, null, scripts);

    protected async Task ExecuteAsync(string sql)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }

    protected async Task<T?> ScalarAsync<T>(string sql)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<T>(sql);
    }

    protected Task<bool> ExistsAsync(string table) => ScalarAsync<bool>($"select to_regclass('{table}') is not null");
}

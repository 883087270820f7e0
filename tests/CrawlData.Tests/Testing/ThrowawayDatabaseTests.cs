using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Testing;

public sealed class ThrowawayDatabaseTests
{
    [Test]
    public async Task A_database_holds_the_schema_and_no_rows()
    {
        await using var database = await ThrowawayDatabase.StartAsync();

        Assert.That(await ScalarAsync(database, "SELECT count(*) FROM crawl_runs"), Is.Zero);
    }

    [Test]
    public async Task Two_calls_create_two_databases_on_one_server()
    {
        await using var first = await ThrowawayDatabase.StartAsync();
        await using var second = await ThrowawayDatabase.StartAsync();
        await ScalarAsync(first, "CREATE TABLE of_the_first ()");

        Assert.That(await ScalarAsync(second, "SELECT to_regclass('of_the_first') IS NULL"), Is.True);
        Assert.That(await ScalarAsync(second, "SELECT current_database()::text"), Is.Not.EqualTo(await ScalarAsync(first, "SELECT current_database()::text")));
        Assert.That(
            await ScalarAsync(second, "SELECT pg_postmaster_start_time()"),
            Is.EqualTo(await ScalarAsync(first, "SELECT pg_postmaster_start_time()")));
        Assert.That(second.Server, Is.EqualTo(first.Server));
    }

    [Test]
    public async Task A_database_without_migration_is_empty()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new() { Migrate = false });

        Assert.That(await ScalarAsync(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), Is.Zero);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Every_database_is_utf8_with_the_c_locale(bool migrate)
    {
        await using var database = await ThrowawayDatabase.StartAsync(new() { Migrate = migrate });

        const string Sql = "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datctype FROM pg_database WHERE datname = current_database()";
        Assert.That(await ScalarAsync(database, Sql), Is.EqualTo("UTF8 C C"));
    }

    [Test]
    public async Task The_connection_string_is_enough_for_another_data_source()
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        await using var other = NpgsqlDataSource.Create(database.ConnectionString);
        await using var command = other.CreateCommand("SELECT current_database()::text");

        Assert.That(await command.ExecuteScalarAsync(), Is.EqualTo(await ScalarAsync(database, "SELECT current_database()::text")));
    }

    [Test]
    public async Task Disposal_drops_the_database_despite_open_connections()
    {
        var database = await ThrowawayDatabase.StartAsync();
        await using var other = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(database.ConnectionString) { Pooling = false }.ConnectionString);
        await other.OpenAsync();

        await database.DisposeAsync();

        Assert.That(
            async () =>
            {
                await using var late = new NpgsqlConnection(database.ConnectionString);
                await late.OpenAsync();
            },
            Throws.InstanceOf<PostgresException>().With.Property(nameof(PostgresException.SqlState)).EqualTo(PostgresErrorCodes.InvalidCatalogName));
    }

    [Test]
    public async Task A_second_dispose_does_nothing()
    {
        var database = await ThrowawayDatabase.StartAsync();
        await database.DisposeAsync();

        Assert.That(async () => await database.DisposeAsync(), Throws.Nothing);
    }

    [Test]
    public async Task Twenty_concurrent_calls_create_twenty_databases()
    {
        var databases = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => ThrowawayDatabase.StartAsync()));
        try
        {
            const string Sql = "SELECT current_database()::text FROM (SELECT count(*) FROM crawl_runs) AS runs";
            var names = await Task.WhenAll(databases.Select(database => ScalarAsync(database, Sql)));
            Assert.That(names.Distinct().Count(), Is.EqualTo(20));
        }
        finally
        {
            await Task.WhenAll(databases.Select(database => database.DisposeAsync().AsTask()));
        }
    }

    [Test]
    public void A_cancelled_call_creates_nothing()
    {
        Assert.That(
            async () => await ThrowawayDatabase.StartAsync(cancellationToken: new(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task No_password_is_in_the_server_line_or_the_data_source()
    {
        await using var database = await ThrowawayDatabase.StartAsync();

        var password = new NpgsqlConnectionStringBuilder(database.ConnectionString).Password;
        Assume.That(password, Is.Not.Null.And.Not.Empty);
        Assert.That(database.Server, Does.Not.Contain(password!).And.StartsWith("PostgreSQL "));
        Assert.That(database.DataSource.ConnectionString, Does.Not.Contain(password!));
    }

    private static async Task<object?> ScalarAsync(ThrowawayDatabase database, string sql)
    {
        await using var command = database.DataSource.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }
}

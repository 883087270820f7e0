using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>A fixture with a migrated database of its own. Its cases run side by side, so each makes its own crawls.</summary>
[Parallelizable(ParallelScope.All)]
public abstract class DatabaseTest
{
    protected ThrowawayDatabase Database { get; private set; } = null!;

    protected NpgsqlDataSource DataSource => Database.DataSource;

    protected CrawlRunRepository Runs { get; private set; } = null!;

    protected CrawlEventRepository Events { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task StartDatabaseAsync()
    {
        Database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        var database = new NpgsqlConnectionStringBuilder(Database.ConnectionString).Database;
        await using (var zone = DataSource.CreateCommand($"alter database \"{database}\" set timezone to '{HostileSurroundings.ServerTimeZone}'"))
        {
            await zone.ExecuteNonQueryAsync();
        }

        DataSource.Clear();
        Runs = new CrawlRunRepository(DataSource);
        Events = new CrawlEventRepository(DataSource);
    }

    [OneTimeTearDown]
    public async Task DropDatabaseAsync() => await Database.DisposeAsync();

    protected async Task<Guid> CreateCrawlAsync(string appPackage = "org.example.app") => (await Runs.CreateAsync(new NewCrawlRun { AppPackage = appPackage })).Id;

    protected static NewCrawlEvent Event(int number, string eventType = "step") => new() { EventType = eventType, Payload = Jsonb.From(new { number }) };

    protected static IEnumerable<NewCrawlEvent> EventsOf(int count) => Enumerable.Range(1, count).Select(number => Event(number));
}

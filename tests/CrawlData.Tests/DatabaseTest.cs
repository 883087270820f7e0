using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>A fixture with a migrated database of its own. Its cases run concurrently, so each creates its own crawls.</summary>
[Parallelizable(ParallelScope.All)]
public abstract class DatabaseTest
{
    protected ThrowawayDatabase Database { get; private set; } = null!;

    protected NpgsqlDataSource DataSource => Database.DataSource;

    protected CrawlRunRepository Runs { get; private set; } = null!;

    protected CrawlRunQueue RunQueue { get; private set; } = null!;

    protected CrawlEventRepository Events { get; private set; } = null!;

    protected AuditSessionRepository Sessions { get; private set; } = null!;

    protected AuditPageRepository Pages { get; private set; } = null!;

    protected ArtifactRepository Artifacts { get; private set; } = null!;

    protected CrawlLogRepository Logs { get; private set; } = null!;

    protected AuditSessionQueue Queue { get; private set; } = null!;

    protected ArtifactSweeper Sweeper { get; private set; } = null!;

    protected RetentionPurger Purger { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task StartDatabaseAsync()
    {
        Database = await CreateDatabaseAsync();
        var database = new NpgsqlConnectionStringBuilder(Database.ConnectionString).Database;
        await using (var zone = DataSource.CreateCommand($"alter database \"{database}\" set timezone to '{NonUtcTimeZones.ServerTimeZone}'"))
        {
            await zone.ExecuteNonQueryAsync();
        }

        DataSource.Clear();
        Runs = new CrawlRunRepository(DataSource);
        RunQueue = new CrawlRunQueue(DataSource);
        Events = new CrawlEventRepository(DataSource);
        Sessions = new AuditSessionRepository(DataSource);
        Pages = new AuditPageRepository(DataSource);
        Artifacts = new ArtifactRepository(DataSource);
        Logs = new CrawlLogRepository(DataSource);
        Queue = new AuditSessionQueue(DataSource);
        Sweeper = new ArtifactSweeper(DataSource);
        Purger = new RetentionPurger(DataSource);
    }

    /// <summary>Makes the fixture's database.</summary>
    protected virtual Task<ThrowawayDatabase> CreateDatabaseAsync() =>
        ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });

    [OneTimeTearDown]
    public async Task DropDatabaseAsync() => await Database.DisposeAsync();

    protected async Task<Guid> CreateCrawlAsync(string appPackage = "org.example.app") =>
        (await Runs.InsertAsync(new NewCrawlRun { AppPackage = appPackage })).Id;

    protected static NewAuditSession Session(string url = "https://example.org/") =>
        new() { Url = url, CrawlPolicyVersion = "2026.11", ConfigSnapshot = Jsonb.Parse("""{"timeout_ms": 5000}""") };

    protected async Task<Guid> EnqueueAsync(string url = "https://example.org/") => (await Sessions.InsertAsync(Session(url))).Id;

    protected static NewAuditPage Page(PageType pageType = PageType.Homepage, Viewport viewport = Viewport.Desktop) =>
        new() { PageType = pageType, Viewport = viewport };

    protected static NewArtifact Artifact(Guid pageId, int number = 1) =>
        new() { PageId = pageId, Type = ArtifactType.Screenshot, StorageUri = $"s3://audits/{number}.png", SizeBytes = number };

    protected static NewCrawlLog Line(int number, DateTimeOffset? timestamp = null) => new()
    {
        EventType = CrawlLogEventType.Navigation,
        Message = $"line {number}",
        Details = Jsonb.From(new { number }),
        Timestamp = timestamp,
    };

    /// <summary>Keeps a transaction open for as long as a statement of the application takes.</summary>
    internal static async Task RunSlowStatementAsync(NpgsqlTransaction transaction, int milliseconds, CancellationToken cancellationToken = default)
    {
        await using var sleep = new NpgsqlCommand($"select pg_sleep(0.001 * {milliseconds})", transaction.Connection, transaction);
        await sleep.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Returns the cursor of all crawls' events after an id.</summary>
    internal static string CursorAfter(long id) => new KeysetCursor<long>(default, id).Encode(CursorKind.AllEvents);

    protected static NewCrawlEvent Event(int number, string eventType = "step") => new() { EventType = eventType, Payload = Jsonb.From(new { number }) };

    protected static IEnumerable<NewCrawlEvent> EventsOf(int count) => Enumerable.Range(1, count).Select(number => Event(number));
}

using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Tests.Security;

/// <summary>Arguments with which calls succeed, and calls that store a row and read it back.</summary>
/// <param name="dataSource">The data source of all calls.</param>
/// <param name="migrating">A data source of the same database for the migrator, which closes idle connections.</param>
internal sealed class ValidArguments(NpgsqlDataSource dataSource, NpgsqlDataSource migrating)
{
    private Guid? run;
    private CrawlRunClaim? claim;
    private Guid? session;
    private int scripts;

    public NpgsqlDataSource DataSource { get; } = dataSource;

    public CrawlRunRepository Runs { get; } = new(dataSource);

    public CrawlRunQueue RunQueue { get; } = new(dataSource);

    public CrawlEventRepository Events { get; } = new(dataSource);

    public AuditSessionRepository Sessions { get; } = new(dataSource);

    public AuditSessionQueue Queue { get; } = new(dataSource);

    public AuditPageRepository Pages { get; } = new(dataSource);

    public ArtifactRepository Artifacts { get; } = new(dataSource);

    public CrawlLogRepository Logs { get; } = new(dataSource);

    public ArtifactSweeper Sweeper { get; } = new(dataSource);

    public FileArtifactStore Files { get; } = new(["/there/is/no/such/folder"]);

    public RetentionPurger Purger { get; } = new(dataSource);

    public RecordingExporter Exporter { get; } = new(dataSource);

    public RecordingImporter Importer { get; } = new(dataSource);

    public Guid CrawlId { get; private set; }

    public Guid SessionId { get; private set; }

    public Guid PageId { get; private set; }

    public Guid ArtifactId { get; private set; }

    public static TimeSpan Century { get; } = TimeSpan.FromDays(36_500);

    public NewCrawlRun Run { get; } = new() { AppPackage = "org.example.app" };

    public NewCrawlEvent Event { get; } = new() { EventType = "step", Payload = Jsonb.From(1) };

    public NewAuditSession Session { get; } = new() { Url = "https://example.org/", CrawlPolicyVersion = "2026.11", ConfigSnapshot = Jsonb.From(1) };

    public NewAuditPage Page { get; } = new() { PageType = PageType.Homepage, Viewport = Viewport.Desktop };

    public NewArtifact Artifact => new()
    {
        PageId = PageId,
        Type = ArtifactType.Screenshot,
        StorageUri = "s3://audits/1.png",
        SizeBytes = 1,
        RetentionUntil = DateTimeOffset.UnixEpoch,
    };

    public NewCrawlLog Line { get; } = new() { EventType = CrawlLogEventType.Navigation, Message = "a line" };

    public async Task InsertAsync()
    {
        CrawlId = (await Runs.InsertAsync(Run)).Id;
        await Events.AppendAsync(CrawlId, Event);
        SessionId = (await Sessions.InsertAsync(Session)).Id;
        PageId = (await Pages.InsertAsync(SessionId, Page)).Id;
        ArtifactId = (await Artifacts.InsertAsync(SessionId, Artifact)).Id;
    }

    /// <summary>Makes a running run and a session in its first attempt, where a call has taken those before.</summary>
    public async Task PrepareAsync()
    {
        // A call for stale runs may have failed them.
        run = run is { } running && (await Runs.GetAsync(running))?.Status == CrawlStatus.Running ? run : null;
        run ??= (await Runs.InsertAsync(Run with { Status = CrawlStatus.Running })).Id;
        claim = claim is not null && (await RunQueue.HeartbeatAsync([claim])) is [] ? claim : null;
        claim ??= await ClaimAsync();
        session ??= (await Queue.StartAsync((await Sessions.InsertAsync(Session)).Id)).EnsureApplied().Id;
    }

    public Guid TakeRun()
    {
        var taken = run!.Value;
        run = null;
        return taken;
    }

    /// <summary>A claim of the prepared kind. Calls that do not end its run leave it valid.</summary>
    public CrawlRunClaim Claim => claim!;

    public CrawlRunClaim TakeClaim()
    {
        var taken = claim!;
        claim = null;
        return taken;
    }

    private async Task<CrawlRunClaim> ClaimAsync()
    {
        await Runs.InsertAsync(Run with { CreatedAt = DateTimeOffset.UnixEpoch });
        return (await RunQueue.ClaimNextAsync())!;
    }

    public Guid TakeSession()
    {
        var taken = session!.Value;
        session = null;
        return taken;
    }

    public async Task<object?[]> StoreAsync(NewCrawlRun run, Func<CrawlRun, object?> read)
    {
        var inserted = await Runs.InsertAsync(run);
        var got = await Runs.GetAsync(inserted.Id);
        await Runs.DeleteAsync(inserted.Id);
        return [read(inserted), read(got!)];
    }

    /// <summary>In all ways in which an event can be appended.</summary>
    public async Task<object?[]> StoreAsync(NewCrawlEvent crawlEvent, Func<CrawlEvent, object?> read)
    {
        var crawl = (await Runs.InsertAsync(Run)).Id;
        await Events.AppendAsync(crawl, crawlEvent);
        await Events.AppendAsync(crawl, [crawlEvent, crawlEvent]);
        await Events.AppendStreamAsync(crawl, new[] { crawlEvent }.ToAsyncEnumerable());
        var claimed = TakeClaim();
        await Events.AppendAsync(claimed, crawlEvent);
        await Events.AppendStreamAsync(claimed, new[] { crawlEvent }.ToAsyncEnumerable());
        await using (var writer = new CrawlEventWriter(Events))
        {
            await writer.AppendAsync(crawl, crawlEvent);
            await writer.AppendAsync(claimed, crawlEvent);
        }

        object?[] stored = [.. (await Events.ListAsync(crawl)).Items.Concat((await Events.ListAsync(claimed.Run.Id)).Items).Select(read)];
        Assert.That(stored, Has.Length.EqualTo(8));
        await Runs.DeleteAsync(crawl);
        await Runs.DeleteAsync(claimed.Run.Id);
        return stored;
    }

    public async Task<object?[]> StoreAsync(NewAuditSession session, Func<AuditSession, object?> read)
    {
        var inserted = await Sessions.InsertAsync(session);
        var got = await Sessions.GetAsync(inserted.Id);
        await Sessions.DeleteAsync(inserted.Id);
        return [read(inserted), read(got!)];
    }

    public async Task<object?[]> StoreAsync(NewAuditPage page, Func<AuditPage, object?> read)
    {
        var parent = (await Sessions.InsertAsync(Session)).Id;
        object?[] stored = [read(await Pages.InsertAsync(parent, page)), read((await Pages.ListAsync(parent)).Single())];
        await Sessions.DeleteAsync(parent);
        return stored;
    }

    public async Task<object?[]> StoreAsync(NewArtifact artifact, Func<Artifact, object?> read)
    {
        var inserted = await Artifacts.InsertAsync(SessionId, artifact);
        var got = await Artifacts.GetAsync(SessionId, inserted.Id);
        await Artifacts.MarkDeletedAsync(SessionId, [inserted.Id]);
        return [read(inserted), read(got!)];
    }

    /// <summary>In all ways in which a line can be appended.</summary>
    public async Task<object?[]> StoreAsync(NewCrawlLog line, Func<CrawlLog, object?> read)
    {
        var parent = (await Sessions.InsertAsync(Session)).Id;
        await Logs.AppendAsync(parent, line);
        await Logs.AppendAsync(parent, [line, line]);
        await Logs.AppendStreamAsync(parent, new[] { line }.ToAsyncEnumerable());
        object?[] stored = [.. (await Logs.ListAsync(parent)).Items.Select(read)];
        Assert.That(stored, Has.Length.EqualTo(4));
        await Sessions.DeleteAsync(parent);
        return stored;
    }

    public async Task<object?[]> StoreAsync(AuditFindings findings, Func<AuditSession, object?> read) =>
        [read((await Queue.RecordFindingsAsync(TakeSession(), 1, findings)).EnsureApplied())];

    /// <summary>Makes JSON with the default limits and with the largest, and stores it.</summary>
    public async Task StoreAsync(Func<JsonbOptions?, Jsonb> make)
    {
        var made = make(MalformedJson.Largest);
        try
        {
            Assert.That(make(null) == made);
        }
        catch (InvalidValueException lower) when (lower.Field == "json")
        {
            // Its depth or size is over a default limit, which a caller may raise.
        }

        foreach (var stored in (await StoreAsync(Run with { DeviceConfig = made }, run => run.DeviceConfig)).OfType<Jsonb>())
        {
            Assert.That(await AreEqualAsync(stored, made), Is.True, () => $"{made} came back as {stored}");
        }
    }

    public async Task FilterAsync(CrawlEventFilter filter)
    {
        await Events.StreamAsync(CrawlId, filter).FirstOrDefaultAsync();
        await Events.ListAsync(CrawlId, filter);
        await Events.ListNewestAsync(CrawlId, filter);
        await Events.CountAsync(CrawlId, filter);
        await Events.CountByTypeAsync(CrawlId, filter);
    }

    public async Task CompareAsync(CrawlComparisonOptions options) => await Events.CompareAsync(CrawlId, Guid.Empty, options).ToListAsync();

    public async Task FilterAsync(CrawlRunFilter filter)
    {
        await Runs.ListAsync(filter);
        await Runs.CountByStatusAsync(filter);
    }

    public async Task FilterAsync(AuditSessionFilter filter)
    {
        await Sessions.ListAsync(filter);
        await Sessions.CountByStatusAsync(filter);
        await Sessions.CountByCrawlPolicyVersionAsync(filter);
    }

    public async Task FilterAsync(ArtifactFilter filter)
    {
        await Artifacts.ListAsync(SessionId, filter);
        await Artifacts.TotalByTypeAsync(SessionId, filter);
    }

    public async Task FilterAsync(CrawlLogFilter filter)
    {
        await Logs.ListAsync(SessionId, filter);
        await Logs.ListNewestAsync(SessionId, filter);
        await Logs.StreamAsync(SessionId, filter).FirstOrDefaultAsync();
    }

    public async Task FollowAsync(CrawlEventFollowOptions options)
    {
        await FirstAsync(Events.FollowAsync(CrawlId, options: options));
        await FirstAsync(Events.FollowAllAsync(options: options));
    }

    public async Task WriteAsync(CrawlEventWriterOptions options)
    {
        await using var writer = new CrawlEventWriter(Events, options);
        await writer.AppendAsync(CrawlId, Event);
    }

    /// <summary>Valid arguments get as far as the question whether the database has Citus.</summary>
    public async Task WithoutCitusAsync(Func<CrawlDistributor, Task> use)
    {
        try
        {
            await use(new CrawlDistributor(DataSource));
        }
        catch (MigrationException exception) when (exception.Message.Contains("no extension citus", StringComparison.Ordinal))
        {
        }
    }

    public async Task AppendAsync(RetryOptions options) => await new CrawlEventRepository(DataSource, retry: options).AppendAsync(CrawlId, Event);

    public async Task InsertAsync(RetentionDurations durations) =>
        await new ArtifactRepository(DataSource, retention: durations).InsertAsync(SessionId, Artifact with { RetentionUntil = null });

    /// <summary>Runs a script, so that each limit counts.</summary>
    public async Task MigrateAsync(SchemaMigratorOptions options)
    {
        SchemaScript script = new($"{900 + scripts++}_nothing.sql", "select 1");
        Assert.That(await new SchemaMigrator(migrating, options, null, null, [script]).MigrateAsync(), Has.Count.EqualTo(1));
    }

    /// <summary>Sweeps with a store that reports another artifact than the one that it was given.</summary>
    public async Task SweepAsync(Func<ExpiredArtifact, ExpiredArtifact> change)
    {
        await Artifacts.InsertAsync(SessionId, Artifact);
        var expired = change(await Sweeper.StreamExpiredAsync().FirstAsync());
        Assert.That((await Sweeper.SweepAsync(new Store(expired))).Expired, Is.Positive);
    }

    public Task SweepAsync(int batchSize) => Sweeper.SweepAsync(new Store(), batchSize);

    /// <summary>The first of a stream that may wait for more.</summary>
    public static async Task FirstAsync<T>(IAsyncEnumerable<T> stream)
    {
        using var enough = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        try
        {
            await stream.FirstOrDefaultAsync(enough.Token);
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested)
        {
        }
    }

    // Of keys that occur twice the server keeps the last.
    public async Task<bool> AreEqualAsync(Jsonb one, Jsonb other)
    {
        if (one == other)
        {
            return true;
        }

        await using var equal = DataSource.CreateCommand("select $1 = $2");
        equal.Parameters.Add(new NpgsqlParameter { Value = one.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
        equal.Parameters.Add(new NpgsqlParameter { Value = other.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
        return (bool)(await equal.ExecuteScalarAsync())!;
    }

    private sealed class Store(params ExpiredArtifact[] deleted) : IArtifactStore
    {
        public Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ExpiredArtifact>>(deleted);
    }
}

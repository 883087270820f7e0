using System.Reflection;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using Npgsql;

namespace CrawlData.Tests.Security;

/// <summary>A value for each parameter and of each type that the public API takes, with which a call goes well; and uses of those that callers make.</summary>
internal sealed class Samples
{
    private readonly NpgsqlDataSource dataSource;
    private readonly NpgsqlDataSource apart;
    private readonly CrawlRunRepository runs;
    private readonly CrawlEventRepository events;
    private readonly AuditSessionRepository sessions;
    private readonly AuditPageRepository pages;
    private readonly ArtifactRepository artifacts;
    private readonly CrawlLogRepository logs;
    private readonly RetentionCleanup cleanup;
    private Guid crawlId;
    private Guid sessionId;
    private Guid pageId;
    private Guid artifactId;
    private int scripts;

    private Samples(NpgsqlDataSource dataSource, NpgsqlDataSource apart)
    {
        this.dataSource = dataSource;
        this.apart = apart;
        runs = new CrawlRunRepository(dataSource);
        events = new CrawlEventRepository(dataSource);
        sessions = new AuditSessionRepository(dataSource);
        pages = new AuditPageRepository(dataSource);
        artifacts = new ArtifactRepository(dataSource);
        logs = new CrawlLogRepository(dataSource);
        cleanup = new RetentionCleanup(dataSource);
    }

    /// <param name="dataSource">What everything goes over.</param>
    /// <param name="apart">Of the same database, for what drops its idle connections.</param>
    public static async Task<Samples> CreateAsync(NpgsqlDataSource dataSource, NpgsqlDataSource apart)
    {
        var samples = new Samples(dataSource, apart);
        samples.crawlId = (await samples.runs.InsertAsync(NewRun())).Id;
        await samples.events.AppendAsync(samples.crawlId, NewEvent());
        samples.sessionId = (await samples.sessions.InsertAsync(NewSession())).Id;
        samples.pageId = (await samples.pages.InsertAsync(samples.sessionId, NewPage())).Id;
        samples.artifactId = (await samples.artifacts.InsertAsync(samples.sessionId, NewArtifact(samples.pageId))).Id;
        return samples;
    }

    public object Instance(Type type) =>
        type == typeof(CrawlRunRepository) ? runs
        : type == typeof(CrawlEventRepository) ? events
        : type == typeof(AuditSessionRepository) ? sessions
        : type == typeof(AuditPageRepository) ? pages
        : type == typeof(ArtifactRepository) ? artifacts
        : type == typeof(CrawlLogRepository) ? logs
        : type == typeof(RetentionCleanup) ? cleanup
        : type == typeof(CrawlEventWriter) ? new CrawlEventWriter(events)
        : type == typeof(RecordingExporter) ? new RecordingExporter(dataSource)
        : type == typeof(RecordingImporter) ? new RecordingImporter(dataSource)
        : throw new AssertionException($"There is no sample of {type.Name}.");

    /// <summary>Arguments with which a call goes well; those that may be left out are.</summary>
    public async Task<object?[]> ArgumentsAsync(MethodBase method)
    {
        var arguments = new List<object?>();
        foreach (var parameter in method.GetParameters())
        {
            arguments.Add(parameter.HasDefaultValue ? parameter.DefaultValue : await ArgumentAsync(method, parameter));
        }

        return [.. arguments];
    }

    private async Task<object?> ArgumentAsync(MethodBase method, ParameterInfo parameter) => parameter.Name switch
    {
        "crawlId" => crawlId,
        "sessionId" => sessionId,
        "id" when method.DeclaringType == typeof(CrawlRunRepository) => (await runs.InsertAsync(NewRun() with { Status = CrawlStatus.Running })).Id,
        "id" when method.DeclaringType == typeof(AuditSessionRepository) => await StartSessionAsync(),
        "id" when method.DeclaringType == typeof(AuditPageRepository) => pageId,
        "id" when method.DeclaringType == typeof(ArtifactRepository) => artifactId,
        "id" when parameter.ParameterType == typeof(long) => 1L,
        "ids" => Array.Empty<Guid>(),
        "attempt" => 1,
        "maxAttempts" => 3,
        "silentFor" or "age" => TimeSpan.FromDays(36_500),
        "errorMessage" or "errorSummary" => "an error",
        "status" => PageStatus.Ok,
        "run" => NewRun(),
        "runs" => new[] { NewRun() },
        "session" => NewSession(),
        "sessions" => new[] { NewSession() },
        "page" => NewPage(),
        "pages" => new[] { NewPage() },
        "artifact" => NewArtifact(pageId),
        "artifacts" => new[] { NewArtifact(pageId) },
        "line" => NewLog(),
        "lines" when parameter.ParameterType.GenericTypeArguments[0] == typeof(NewCrawlLog) => new[] { NewLog() },
        "lines" => new[] { (sessionId, NewLog()) },
        "crawlEvent" => NewEvent(),
        "events" when parameter.ParameterType == typeof(CrawlEventRepository) => events,
        "events" when parameter.ParameterType == typeof(IEnumerable<NewCrawlEvent>) => new[] { NewEvent() },
        "events" when parameter.ParameterType == typeof(IAsyncEnumerable<NewCrawlEvent>) => ToStream([NewEvent()]),
        "events" => new[] { (crawlId, NewEvent()) },
        "findings" => new AuditFindings(),
        "deleter" => Deleter(),
        "recording" or "input" => new MemoryStream(),
        "dataSource" => dataSource,
        _ => throw new AssertionException($"There is no sample for {method.DeclaringType!.Name}.{method.Name}({parameter.Name})."),
    };

    /// <summary>A new object of a type that callers make.</summary>
    public async Task<object> NewAsync(Type type) =>
        type == typeof(NewCrawlRun) ? NewRun()
        : type == typeof(NewCrawlEvent) ? NewEvent()
        : type == typeof(NewAuditSession) ? NewSession()
        : type == typeof(NewAuditPage) ? NewPage()
        : type == typeof(NewArtifact) ? NewArtifact(pageId)
        : type == typeof(NewCrawlLog) ? NewLog()
        : type == typeof(ExpiredArtifact) ? await ExpireAsync()
        : type.GetConstructor([]) is { } constructor ? constructor.Invoke([])
        : throw new AssertionException($"There is no sample of {type.Name}.");

    /// <summary>Uses what callers make in all ways in which it can be used.</summary>
    /// <returns>The rows that came of it.</returns>
    public async Task<IReadOnlyList<object>> UseAsync(object taker)
    {
        switch (taker)
        {
            case NewCrawlRun run:
                var inserted = await runs.InsertAsync(run);
                var got = await runs.GetAsync(inserted.Id);
                await runs.DeleteAsync(inserted.Id);
                return [inserted, got!];
            case NewCrawlEvent crawlEvent:
                return await StoreAsync(crawlEvent);
            case NewAuditSession session:
                var enqueued = await sessions.InsertAsync(session);
                var queued = await sessions.GetAsync(enqueued.Id);
                await sessions.DeleteAsync(enqueued.Id);
                return [enqueued, queued!];
            case NewAuditPage page:
                var ofPages = (await sessions.InsertAsync(NewSession())).Id;
                object[] insertedPages = [await pages.InsertAsync(ofPages, page), .. await pages.ListAsync(ofPages)];
                await sessions.DeleteAsync(ofPages);
                return insertedPages;
            case NewArtifact artifact:
                var stored = await artifacts.InsertAsync(sessionId, artifact);
                var read = await artifacts.GetAsync(sessionId, stored.Id);
                await artifacts.MarkDeletedAsync(sessionId, [stored.Id]);
                return [stored, read!];
            case NewCrawlLog line:
                var ofLines = (await sessions.InsertAsync(NewSession())).Id;
                await logs.AppendAsync(ofLines, line);
                await logs.AppendAsync(ofLines, [line, line]);
                object[] appended = [.. (await logs.ListAsync(ofLines)).Items];
                await sessions.DeleteAsync(ofLines);
                return appended;
            case AuditFindings findings:
                var id = await StartSessionAsync();
                var recorded = (await sessions.RecordAsync(id, 1, findings)).EnsureApplied();
                await sessions.DeleteAsync(id);
                return [recorded];
            case ExpiredArtifact expired:
                Assert.That((await cleanup.SweepAsync(Deleter(expired))).Expired, Is.Positive);
                return [];
            case CrawlEventWriterOptions options:
                await using (var writer = new CrawlEventWriter(events, options))
                {
                    await writer.AppendAsync(crawlId, NewEvent());
                }

                return [];
            case RetryOptions retry:
                await new CrawlEventRepository(dataSource, retry: retry).AppendAsync(crawlId, NewEvent());
                return [];
            case RetentionDurations durations:
                await new ArtifactRepository(dataSource, retention: durations).InsertAsync(sessionId, NewArtifact(pageId) with { RetentionUntil = null });
                return [];
            case SchemaMigratorOptions options:
                // Something to run, so that each limit counts.
                SchemaScript script = new($"{900 + scripts++}_nothing.sql", "select 1");
                Assert.That(await new SchemaMigrator(apart, options, null, [script]).MigrateAsync(), Has.Count.EqualTo(1));
                return [];
            case JsonbOptions options:
                Jsonb.Parse("1", options);
                return [];
            default:
                await CallAllThatTakeAsync(taker);
                return [];
        }
    }

    private async Task<object[]> StoreAsync(NewCrawlEvent crawlEvent)
    {
        var crawl = (await runs.InsertAsync(NewRun())).Id;
        await events.AppendAsync(crawl, crawlEvent);
        await events.AppendAsync(crawl, [crawlEvent, crawlEvent]);
        await events.AppendStreamAsync(crawl, ToStream([crawlEvent]));
        await using (var writer = new CrawlEventWriter(events))
        {
            await writer.AppendAsync(crawl, crawlEvent);
        }

        object[] stored = [.. (await events.ListAsync(crawl)).Items];
        await runs.DeleteAsync(crawl);
        return stored;
    }

    private async Task CallAllThatTakeAsync(object taker)
    {
        var takers = Place.All.Where(place => place.Type == taker.GetType()).ToList();
        Assert.That(takers, Is.Not.Empty, $"It is not known what takes {taker.GetType().Name}.");
        foreach (var place in takers)
        {
            var arguments = await ArgumentsAsync(place.Method!);
            arguments[place.Parameter!.Position] = taker;
            await ResultAsync(place.Method!.Invoke(Instance(place.Owner), BindingFlags.DoNotWrapExceptions, null, arguments, null));
        }
    }

    /// <summary>What a call came to: awaited, and of a stream the first.</summary>
    public static async Task<object?> ResultAsync(object? result)
    {
        switch (result)
        {
            case Task task:
                await task;
                return task.GetType().GetProperty("Result")?.GetValue(task);
            case IAsyncEnumerable<CrawlEvent> stream:
                return await FirstAsync(stream);
            case IAsyncEnumerable<CrawlEventBatch> stream:
                return await FirstAsync(stream);
            case IAsyncEnumerable<CrawlLog> stream:
                return await FirstAsync(stream);
            default:
                return result;
        }
    }

    public static async IAsyncEnumerable<T> ToStream<T>(IEnumerable<T> items)
    {
        await Task.Yield();
        foreach (var item in items)
        {
            yield return item;
        }
    }

    // Who follows waits for ever.
    private static async Task<object?> FirstAsync<T>(IAsyncEnumerable<T> stream)
    {
        using var enough = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        try
        {
            return await stream.FirstOrDefaultAsync(enough.Token);
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested)
        {
            return null;
        }
    }

    private static Func<IReadOnlyList<ExpiredArtifact>, CancellationToken, Task<IReadOnlyList<ExpiredArtifact>>> Deleter(
        params ExpiredArtifact[] deleted) =>
        (_, _) => Task.FromResult<IReadOnlyList<ExpiredArtifact>>(deleted);

    private async Task<ExpiredArtifact> ExpireAsync()
    {
        await artifacts.InsertAsync(sessionId, NewArtifact(pageId));
        return await cleanup.StreamExpiredAsync().FirstAsync();
    }

    private async Task<Guid> StartSessionAsync()
    {
        var session = await sessions.InsertAsync(NewSession());
        (await sessions.StartAsync(session.Id)).EnsureApplied();
        return session.Id;
    }

    private static NewCrawlRun NewRun() => new() { AppPackage = "org.example.app" };

    private static NewCrawlEvent NewEvent() => new() { EventType = "step", Payload = Jsonb.From(1) };

    private static NewAuditSession NewSession() => new() { Url = "https://example.org/", CrawlPolicyVersion = "2026.11", ConfigSnapshot = Jsonb.From(1) };

    private static NewAuditPage NewPage() => new() { PageType = PageType.Homepage, Viewport = Viewport.Desktop };

    private static NewArtifact NewArtifact(Guid pageId) =>
        new() { PageId = pageId, Type = ArtifactType.Screenshot, StorageUri = "s3://audits/1.png", SizeBytes = 1, RetentionUntil = DateTimeOffset.UnixEpoch };

    private static NewCrawlLog NewLog() => new() { EventType = CrawlLogEventType.Navigation, Message = "a line" };
}

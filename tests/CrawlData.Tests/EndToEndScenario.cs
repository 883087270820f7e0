using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Calls each part of the library at least once, as an application does.</summary>
internal sealed class EndToEndScenario
{
    // An event's type and text that a handler which trims or parses would change.
    private static readonly NewCrawlEvent Step = new() { EventType = " Step ", Payload = Jsonb.Parse("""{"k": 1}""") };

    private readonly IServiceProvider services;

    private EndToEndScenario(IServiceProvider services) => this.services = services;

    /// <param name="connectionString">A database without crawls and sessions.</param>
    /// <param name="migrate">Whether the application migrates it; its connections have to be direct ones then.</param>
    /// <param name="health">What the health check reports; degraded for a role that may not read the journal.</param>
    /// <param name="configure">Adds services of the application's; may be null.</param>
    public static Task RunAsync(
        string connectionString, bool migrate = false, HealthStatus health = HealthStatus.Healthy, Action<IServiceCollection>? configure = null) =>
        RunAsync(
            services =>
            {
                configure?.Invoke(services);
                services.AddCrawlData(connectionString, options => (options.MigrateAtStartup, options.Notify) = (migrate, true));
            },
            migrate,
            health);

    /// <inheritdoc cref="RunAsync(string, bool, HealthStatus, Action{IServiceCollection})"/>
    public static Task RunAsync(NpgsqlDataSource dataSource, bool migrate = false) =>
        RunAsync(
            services => services.AddSingleton(dataSource).AddCrawlData(options => (options.MigrateAtStartup, options.Notify) = (migrate, true)),
            migrate,
            HealthStatus.Healthy);

    private static async Task RunAsync(Action<IServiceCollection> register, bool migrate, HealthStatus health)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        register(builder.Services);
        using var host = builder.Build();
        await host.StartAsync();
        var scenario = new EndToEndScenario(host.Services);
        if (migrate)
        {
            await scenario.VerifySchemaAsync();
        }

        await scenario.CrawlFromQueueAsync();
        await scenario.CrawlAsync();
        await scenario.AuditAsync();
        await scenario.MonitorAsync(health);
        await scenario.PurgeAsync();
        await host.StopAsync();
    }

    private async Task VerifySchemaAsync()
    {
        var migrator = Get<SchemaMigrator>();
        Assert.That(await migrator.ListPendingAsync(), Is.Empty);
        Assert.That(await migrator.VerifySchemaAsync(), Is.Empty);
        Assert.That(await migrator.GetPendingSqlAsync(), Is.EqualTo("-- No script is pending.\n"));
        Assert.That(await migrator.AdoptAsync(), Is.Empty);
    }

    private async Task CrawlFromQueueAsync()
    {
        var runs = Get<CrawlRunRepository>();
        var events = Get<CrawlEventRepository>();
        var queue = Get<CrawlRunQueue>();
        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        var claim = await queue.StreamClaimsAsync().FirstAsync();
        (await queue.ReleaseAsync(claim)).EnsureApplied();
        claim = (await queue.ClaimNextAsync())!;
        await events.AppendAsync(claim, Step);
        await events.AppendAsync(claim, Enumerable.Repeat(Step, 1_500));
        var writer = Get<CrawlEventWriter>();
        foreach (var count in new[] { 2, 1_500 })
        {
            await Task.WhenAll(Enumerable.Range(0, count - 1).Select(_ => writer.WriteAsync(claim, Step)));
            await writer.AppendAsync(claim, Step);
        }

        Assert.That(await queue.HeartbeatAsync([claim]), Is.Empty);
        Assert.That(await queue.FailStaleAsync(TimeSpan.FromDays(1)), Is.Empty);
        Assert.That(await queue.ListStaleAsync(TimeSpan.FromMicroseconds(1)), Has.Count.EqualTo(1));
        Assert.That(await queue.ListSilentAsync(TimeSpan.FromMicroseconds(1)), Has.Count.EqualTo(1));
        (await runs.FailAsync(run.Id, "an error")).EnsureApplied();
        await Assert.ThrowsAsync<ClaimLostException>(() => events.AppendAsync(claim, Step));
        var retry = (await queue.RetryAsync(run.Id)).EnsureApplied();
        Assert.That((await queue.GetAttemptAsync(run.Id))!.RetriedBy, Is.EqualTo(retry.RunId));
        (await runs.StartAsync(retry.RunId)).EnsureApplied();
        Assert.That(await queue.FailStaleAsync(TimeSpan.FromMicroseconds(1)), Has.Count.EqualTo(1));
        Assert.That(await runs.DeleteAsync(run.Id) && await runs.DeleteAsync(retry.RunId), Is.True);
    }

    private async Task CrawlAsync()
    {
        var runs = Get<CrawlRunRepository>();
        var events = Get<CrawlEventRepository>();
        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", DeviceConfig = Step.Payload });
        await Assert.ThatAsync(
            () => runs.InsertAsync(new NewCrawlRun { Id = run.Id, AppPackage = "org.example.app" }), Throws.InstanceOf<RowAlreadyExistsException>());
        (await runs.StartAsync(run.Id)).EnsureApplied();
        var following = events.FollowAsync(run.Id, options: new CrawlEventFollowOptions { Listen = true }).CountAsync().AsTask();
        var first = await events.AppendAsync(run.Id, Step);
        await events.AppendAsync(run.Id, [Step, Step]);
        await events.AppendAsync(run.Id, Enumerable.Repeat(Step, 1_500));
        await events.AppendStreamAsync(run.Id, Enumerable.Repeat(Step, 10).ToAsyncEnumerable());
        var writer = Get<CrawlEventWriter>();
        foreach (var count in new[] { 1, 2, 1_500 })
        {
            await Task.WhenAll(Enumerable.Range(0, count - 1).Select(_ => writer.WriteAsync(run.Id, Step)));
            await writer.AppendAsync(run.Id, Step);
        }

        await Assert.ThrowsAsync<RowNotFoundException>(() => events.AppendAsync([(Guid.CreateVersion7(), Step)]));
        await Assert.ThrowsAsync<RowNotFoundException>(() => events.AppendAsync([(run.Id, Step), (Guid.CreateVersion7(), Step)]));
        (await runs.CompleteAsync(run.Id)).EnsureApplied();
        Assert.That((await runs.FailAsync(run.Id, "an error")).Outcome, Is.EqualTo(TransitionOutcome.Refused));

        Assert.That((await runs.GetAsync(run.Id))!.DeviceConfig, Is.EqualTo(Step.Payload));
        var newest = await runs.ListAsync(new CrawlRunFilter { AppPackage = "org.example.app", Statuses = [CrawlStatus.Completed] });
        Assert.That(newest.Items.Single().DeviceConfig, Is.EqualTo(Step.Payload));
        Assert.That((await runs.ListAsync(order: ListOrder.OldestFirst)).Items, Has.Count.EqualTo(1));
        Assert.That((await runs.ListAsync()).Items, Has.Count.EqualTo(1));
        Assert.That((await runs.CountByStatusAsync())[CrawlStatus.Completed], Is.EqualTo(1));
        var completedRuns = new CrawlRunFilter { Statuses = [CrawlStatus.Completed] };
        Assert.That((await runs.ListAsync(completedRuns, order: ListOrder.OldestFirst)).Items, Has.Count.EqualTo(1));
        Assert.That((await runs.CountByStatusAsync(completedRuns))[CrawlStatus.Completed], Is.EqualTo(1));
        Assert.That(await events.CountAsync(run.Id), Is.EqualTo(3_016));
        Assert.That(await events.CountByTypeAsync(run.Id), Is.EquivalentTo(new Dictionary<string, long> { [" Step "] = 3_016 }));
        Assert.That((await events.GetAsync(run.Id, first))!.Payload, Is.EqualTo(Step.Payload));
        Assert.That((await events.GetLastAsync(run.Id))!.EventType, Is.EqualTo(" Step "));
        Assert.That((await events.ListAsync(run.Id, new CrawlEventFilter { EventTypes = [" Step "] }, pageSize: 2)).Items, Has.Count.EqualTo(2));
        Assert.That((await events.ListNewestAsync(run.Id, pageSize: 2)).Items, Has.Count.EqualTo(2));
        Assert.That((await events.GetFirstAtAsync(run.Id, DateTimeOffset.UnixEpoch))!.Id, Is.EqualTo(first));
        Assert.That(await events.GetLastOfEachAsync([run.Id]), Has.Count.EqualTo(1));
        Assert.That((await events.SummarizeAsync(run.Id)).Count, Is.EqualTo(3_016));
        Assert.That(await events.CompareAsync(run.Id, run.Id, new CrawlComparisonOptions { Key = "k" }).CountAsync(), Is.Zero);
        Assert.That(await events.GetNewestCursorAsync(), Is.Not.Null);
        Assert.That(await runs.FindIdsAsync($"{run.Id}"[..8]), Is.EqualTo(new[] { run.Id }));
        Assert.That(await runs.ShortenIdsAsync([run.Id]), Has.Count.EqualTo(1));
        Assert.That(await events.StreamAsync(run.Id).CountAsync(), Is.EqualTo(3_016));
        Assert.That(await following.WaitAsync(Wait.Longest), Is.EqualTo(3_016));
        Assert.That((await events.ListAllAsync(limit: 5_000)).Events, Has.Count.EqualTo(3_016));
        Assert.That((await events.FollowAllAsync().FirstAsync()).Events, Is.Not.Empty);

        using var recording = new MemoryStream();
        await Get<RecordingExporter>().ExportCrawlAsync(run.Id, recording);
        recording.Position = 0;
        await Get<RecordingImporter>().ImportAsync(recording, new RecordingImportOptions { NewIds = true });
        Assert.That(await runs.DeleteAsync(run.Id), Is.True);
        await FollowTwoAsync(runs, events);
    }

    /// <summary>One statement looks for followers of several crawls that have caught up.</summary>
    private static async Task FollowTwoAsync(CrawlRunRepository runs, CrawlEventRepository events)
    {
        NewCrawlRun run = new() { AppPackage = "org.example.app" };
        var ids = (await runs.InsertAsync([run, run])).Select(inserted => inserted.Id).ToList();
        await events.AppendAsync([.. ids.Select(id => (id, Step))]);
        var followers = ids.Select(id => events.FollowAsync(id).GetAsyncEnumerator()).ToList();
        foreach (var follower in followers)
        {
            await follower.MoveNextAsync();
        }

        var next = followers.Select(follower => follower.MoveNextAsync().AsTask()).ToList();
        await events.AppendAsync([.. ids.Select(id => (id, Step))]);
        Assert.That(await Task.WhenAll(next).WaitAsync(Wait.Longest), Has.All.True);
        foreach (var (id, follower) in ids.Zip(followers))
        {
            await follower.DisposeAsync();
            Assert.That(await runs.DeleteAsync(id), Is.True);
        }
    }

    private async Task AuditAsync()
    {
        var sessions = Get<AuditSessionRepository>();
        var queue = Get<AuditSessionQueue>();
        var pages = Get<AuditPageRepository>();
        var artifacts = Get<ArtifactRepository>();
        var logs = Get<CrawlLogRepository>();
        await sessions.InsertAsync(new NewAuditSession { Url = "https://example.org/", CrawlPolicyVersion = "1", ConfigSnapshot = Step.Payload });
        var session = (await queue.ClaimNextAsync())!;
        (await queue.RecordFindingsAsync(session.Id, session.Attempts, new AuditFindings { FinalUrl = "https://example.org/home" })).EnsureApplied();

        var page = await pages.InsertAsync(session.Id, new NewAuditPage { PageType = PageType.Pdp, Viewport = Viewport.Mobile });
        Assert.That((await pages.SetStatusAsync(session.Id, page.Id, PageStatus.Ok, Step.Payload)).EnsureApplied().LoadTimings, Is.EqualTo(Step.Payload));
        Assert.That((await pages.GetAsync(session.Id, page.Id))!.PageType, Is.EqualTo(PageType.Pdp));
        Assert.That(await pages.ListAsync(session.Id, new AuditPageFilter { Viewports = [Viewport.Mobile] }), Has.Count.EqualTo(1));
        await Assert.ThrowsAsync<RowNotFoundException>(
            () => pages.InsertAsync(Guid.CreateVersion7(), new NewAuditPage { PageType = PageType.Pdp, Viewport = Viewport.Mobile }));

        var screenshot = new NewArtifact
        {
            PageId = page.Id,
            Type = ArtifactType.Screenshot,
            StorageUri = "s3://a",
            SizeBytes = 1,
            RetentionUntil = DateTimeOffset.UnixEpoch,
        };
        var artifact = await artifacts.InsertAsync(session.Id, screenshot);
        var marked = await artifacts.InsertAsync(session.Id, screenshot with { Type = ArtifactType.HtmlGz });
        Assert.That(await artifacts.MarkDeletedAsync(session.Id, [marked.Id]), Is.EqualTo(1));
        Assert.That((await artifacts.GetAsync(session.Id, artifact.Id))!.RetentionUntil, Is.EqualTo(DateTimeOffset.UnixEpoch));
        Assert.That(await artifacts.ListAsync(session.Id, new ArtifactFilter { Types = [ArtifactType.Screenshot] }), Has.Count.EqualTo(1));
        Assert.That((await artifacts.TotalByTypeAsync(session.Id))[ArtifactType.Screenshot].Count, Is.EqualTo(1));
        Assert.That((await artifacts.TotalAllByTypeAsync())[ArtifactType.Screenshot].SizeBytes, Is.EqualTo(1));
        Assert.That((await artifacts.ListExpiredAsync()).Items.Single().Id, Is.EqualTo(artifact.Id));
        Assert.That(await artifacts.TotalExpiringAsync(TimeSpan.FromDays(7)), Is.EqualTo(new ArtifactTotal { Count = 0, SizeBytes = 0 }));
        await Assert.ThrowsAsync<RowNotFoundException>(() => artifacts.InsertAsync(session.Id, screenshot with { PageId = Guid.CreateVersion7() }));

        var line = new NewCrawlLog { EventType = CrawlLogEventType.Error, Message = "a", Details = Step.Payload };
        var first = await logs.AppendAsync(session.Id, line);
        await logs.AppendAsync(session.Id, Enumerable.Repeat(line, 1_500));
        await Assert.ThrowsAsync<RowNotFoundException>(() => logs.AppendAsync(Guid.CreateVersion7(), line));
        Assert.That((await logs.GetAsync(session.Id, first))!.Details, Is.EqualTo(Step.Payload));
        var errors = new CrawlLogFilter { EventTypes = [CrawlLogEventType.Error] };
        Assert.That((await logs.ListAsync(session.Id, errors, pageSize: 2)).Items, Has.Count.EqualTo(2));
        Assert.That((await logs.ListNewestAsync(session.Id, errors, pageSize: 2)).Items, Has.Count.EqualTo(2));
        Assert.That(await logs.StreamAsync(session.Id, errors).CountAsync(), Is.EqualTo(1_501));
        Assert.That(await sessions.FindIdsAsync($"{session.Id}"), Is.EqualTo(new[] { session.Id }));
        Assert.That(await sessions.ShortenIdsAsync([session.Id]), Has.Count.EqualTo(1));

        using var recording = new MemoryStream();
        await Get<RecordingExporter>().ExportSessionAsync(session.Id, recording);
        recording.Position = 0;
        await Get<RecordingImporter>().ImportAsync(recording, new RecordingImportOptions { NewIds = true, Enqueue = true });

        Assert.That(await queue.HeartbeatAsync([(session.Id, session.Attempts)]), Is.Empty);
        (await queue.ReleaseAsync(session.Id, session.Attempts)).EnsureApplied();
        session = (await queue.StreamClaimsAsync().FirstAsync())!;
        (await queue.CompleteAsync(session.Id, session.Attempts)).EnsureApplied();
        Assert.That((await sessions.GetAsync(session.Id))!.FinalUrl, Is.EqualTo("https://example.org/home"));
        Assert.That(await logs.FollowAsync(session.Id, errors).CountAsync(), Is.EqualTo(1_501));
        var completed = new AuditSessionFilter { Statuses = [AuditSessionStatus.Completed], CrawlPolicyVersion = "1" };
        Assert.That((await sessions.ListAsync(completed)).Items, Has.Count.EqualTo(1));
        Assert.That((await sessions.ListAsync(completed, order: ListOrder.OldestFirst)).Items, Has.Count.EqualTo(1));
        Assert.That((await sessions.CountByStatusAsync(completed))[AuditSessionStatus.Completed], Is.EqualTo(1));
        Assert.That((await sessions.CountByCrawlPolicyVersionAsync(completed))["1"], Is.EqualTo(1));

        // The imported session is still running, and its log ended just now.
        Assert.That(await queue.ListStaleAsync(TimeSpan.FromDays(1)), Is.Empty);
        Assert.That(await queue.ListSilentAsync(TimeSpan.FromDays(1)), Is.Empty);
        Assert.That(await queue.RescueStaleAsync(TimeSpan.FromDays(1), maxAttempts: 3), Is.Empty);
        var imported = (await sessions.ListAsync(new AuditSessionFilter { Statuses = [AuditSessionStatus.Running] })).Items.Single();
        Assert.That((await queue.RescueStaleAsync(TimeSpan.FromMicroseconds(1), maxAttempts: 3)).Single().Id, Is.EqualTo(imported.Id));
        Assert.That(await queue.ListStaleAsync(TimeSpan.FromMicroseconds(1)), Is.Empty);
        Assert.That(await sessions.DeleteAsync(imported.Id), Is.True);
    }

    private async Task MonitorAsync(HealthStatus health)
    {
        Assert.That(await Get<DatabaseDoctor>().CheckAllAsync(new DatabaseDoctorOptions { SilentFor = TimeSpan.FromDays(1) }), Is.Not.Null);
        Assert.That((await Get<DatabaseStatusReader>().ReadAsync()).Tables, Is.Not.Empty);
        var context = new HealthCheckContext { Registration = new HealthCheckRegistration("crawldata", Get<CrawlDataHealthCheck>(), null, null) };
        Assert.That((await Get<CrawlDataHealthCheck>().CheckHealthAsync(context)).Status, Is.EqualTo(health));
    }

    private async Task PurgeAsync()
    {
        var sweeper = Get<ArtifactSweeper>();
        var purger = Get<RetentionPurger>();
        Assert.That(await sweeper.StreamExpiredAsync().CountAsync(), Is.EqualTo(1));
        Assert.That((await sweeper.SweepAsync(new DelegateStore((batch, _) => Task.FromResult(batch)))).Deleted, Is.EqualTo(1));
        foreach (var dryRun in new[] { true, false })
        {
            Assert.That((await purger.PurgeArtifactsAsync(TimeSpan.Zero, dryRun: dryRun)).Deleted, Is.EqualTo(2));
            Assert.That((await purger.PurgeSessionsAsync(TimeSpan.Zero, dryRun: dryRun)).Deleted, Is.EqualTo(1));
            Assert.That((await purger.PurgeCrawlsAsync(TimeSpan.Zero, dryRun: dryRun)).Deleted, Is.EqualTo(1));
        }
    }

    private T Get<T>() where T : notnull => services.GetRequiredService<T>();
}

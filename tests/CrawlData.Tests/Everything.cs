using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Retention;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CrawlData.Tests;

/// <summary>What an application does with the library, once each.</summary>
internal static class Everything
{
    /// <param name="connectionString">A database without crawls and sessions.</param>
    /// <param name="migrate">Whether the application migrates it.</param>
    public static async Task UseAsync(string connectionString, bool migrate = false)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCrawlData(connectionString, options => (options.MigrateAtStartup, options.Notify) = (migrate, true));
        using var host = builder.Build();
        await host.StartAsync();
        var runs = host.Services.GetRequiredService<CrawlRunRepository>();
        var events = host.Services.GetRequiredService<CrawlEventRepository>();

        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        await runs.StartAsync(run.Id);
        var step = new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") };
        await events.AppendAsync(run.Id, step);
        await events.AppendAsync(run.Id, Enumerable.Repeat(step, 1_500));
        await events.AppendStreamAsync(run.Id, Enumerable.Repeat(step, 10).ToAsyncEnumerable());
        await host.Services.GetRequiredService<CrawlEventWriter>().AppendAsync(run.Id, step);
        await runs.CompleteAsync(run.Id);
        Assert.That((await runs.ListAsync()).Items, Has.Count.EqualTo(1));
        Assert.That((await runs.CountByStatusAsync())[CrawlStatus.Completed], Is.EqualTo(1));
        Assert.That(await events.CountAsync(run.Id), Is.EqualTo(1_512));
        Assert.That(await events.CountByTypeAsync(run.Id), Has.Count.EqualTo(1));
        Assert.That(await events.GetLastAsync(run.Id), Is.Not.Null);
        Assert.That(await events.FollowAsync(run.Id, options: new CrawlEventFollowOptions { Listen = true }).CountAsync(), Is.EqualTo(1_512));
        Assert.That((await events.ListAllAsync(limit: 2_000)).Events, Has.Count.EqualTo(1_512));

        var sessions = host.Services.GetRequiredService<AuditSessionRepository>();
        await sessions.InsertAsync(new NewAuditSession { Url = "https://example.org/", CrawlPolicyVersion = "1", ConfigSnapshot = Jsonb.Parse("{}") });
        var session = (await sessions.ClaimNextAsync())!;
        var page = await host.Services.GetRequiredService<AuditPageRepository>().InsertAsync(session.Id, new NewAuditPage { PageType = PageType.Pdp, Viewport = Viewport.Mobile });
        await host.Services.GetRequiredService<ArtifactRepository>().InsertAsync(
            session.Id, new NewArtifact { PageId = page.Id, Type = ArtifactType.HtmlGz, StorageUri = "s3://a", SizeBytes = 1, RetentionUntil = DateTimeOffset.UnixEpoch });
        await host.Services.GetRequiredService<CrawlLogRepository>().AppendAsync(session.Id, new NewCrawlLog { EventType = CrawlLogEventType.Error, Message = "a" });
        await sessions.CompleteAsync(session.Id, session.Attempts);
        var cleanup = host.Services.GetRequiredService<RetentionCleanup>();
        Assert.That((await cleanup.SweepAsync((batch, _) => Task.FromResult(batch))).Deleted, Is.EqualTo(1));
        Assert.That((await cleanup.DeleteArtifactsAsync(TimeSpan.Zero)).Deleted, Is.EqualTo(1));
        Assert.That((await cleanup.DeleteSessionsAsync(TimeSpan.Zero)).Deleted, Is.EqualTo(1));

        using var recording = new MemoryStream();
        await host.Services.GetRequiredService<RecordingExporter>().ExportCrawlAsync(run.Id, recording);
        recording.Position = 0;
        await host.Services.GetRequiredService<RecordingImporter>().ImportAsync(recording, new RecordingImportOptions { NewIds = true });
        Assert.That(await runs.DeleteAsync(run.Id), Is.True);
        await host.StopAsync();
    }
}

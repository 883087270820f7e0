using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace CrawlData.Tests.Schema;

public sealed class ApplicationRoleTests : MigratorTest
{
    [Test]
    public async Task An_application_works_with_rights_to_rows_and_sequences_alone()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        var role = $"crawldata_app_{Guid.NewGuid():N}";
        await ExecuteAsync(
            $"""
            create role {role} login password 'of the application';
            revoke all on schema public from public;
            grant usage on schema public to {role};
            grant select, insert, update, delete on crawl_runs, crawl_events, audit_sessions, audit_pages, artifacts, crawl_logs to {role};
            grant usage on all sequences in schema public to {role};
            """);
        try
        {
            var connectionString = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = role, Password = "of the application" }.ConnectionString;
            await using var source = NpgsqlDataSource.Create(connectionString);
            await UseEverythingAsync(source);

            var forbidden = await Assert.ThrowsAsync<PostgresException>(() => new SchemaMigrator(source).GetPendingAsync());
            Assert.That(forbidden!.SqlState, Is.EqualTo(PostgresErrorCodes.InsufficientPrivilege), "the journal is out of its reach");
            await using var connection = await source.OpenConnectionAsync();
            await Assert.ThatAsync(() => connection.ExecuteAsync("create table public.mine ()"), Throws.InstanceOf<PostgresException>());
        }
        finally
        {
            await ExecuteAsync($"drop owned by {role}; drop role {role}");
        }
    }

    private static async Task UseEverythingAsync(NpgsqlDataSource source)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(source);
        builder.Services.AddCrawlData(options => (options.MigrateAtStartup, options.Notify) = (false, true));
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
        Assert.That(await events.ListAllAsync(limit: 2_000), Has.Count.EqualTo(1_512));

        var sessions = host.Services.GetRequiredService<AuditSessionRepository>();
        await sessions.InsertAsync(new NewAuditSession { Url = "https://example.org/", CrawlPolicyVersion = "1", ConfigSnapshot = Jsonb.Parse("{}") });
        var session = (await sessions.ClaimNextAsync())!;
        var page = await host.Services.GetRequiredService<AuditPageRepository>().InsertAsync(session.Id, new NewAuditPage { PageType = PageType.Pdp, Viewport = Viewport.Mobile });
        await host.Services.GetRequiredService<ArtifactRepository>().InsertAsync(
            session.Id, new NewArtifact { PageId = page.Id, Type = ArtifactType.HtmlGz, StorageUri = "s3://a", SizeBytes = 1, RetentionUntil = DateTimeOffset.UnixEpoch });
        await host.Services.GetRequiredService<CrawlLogRepository>().AppendAsync(session.Id, new NewCrawlLog { EventType = CrawlLogEventType.Error, Message = "a" });
        await sessions.CompleteAsync(session.Id, session.Attempts);
        var cleanup = host.Services.GetRequiredService<RetentionCleanup>();
        Assert.That((await cleanup.SweepAsync((batch, _) => Task.FromResult<IReadOnlyCollection<ExpiredArtifact>>(batch))).Deleted, Is.EqualTo(1));
        Assert.That(await cleanup.PurgeAsync(TimeSpan.Zero), Is.EqualTo(1));
        Assert.That((await cleanup.DeleteSessionsAsync(TimeSpan.Zero)).Deleted, Is.EqualTo(1));

        using var recording = new MemoryStream();
        await host.Services.GetRequiredService<RecordingExporter>().ExportCrawlAsync(run.Id, recording);
        recording.Position = 0;
        await host.Services.GetRequiredService<RecordingImporter>().ImportAsync(recording, new RecordingImportOptions { NewIds = true });
        Assert.That(await runs.DeleteAsync(run.Id), Is.True);
        await host.StopAsync();
    }
}

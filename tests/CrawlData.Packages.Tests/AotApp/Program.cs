using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using CrawlData;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Workers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

// A native application with each part of the library. The arguments are the connection strings of two empty databases.
var builder = Host.CreateApplicationBuilder();
builder.Logging.ClearProviders();
builder.Services.AddCrawlData(args[0], options => options.Notify = true);
builder.Services.AddKeyedCrawlData("copy", args[1]);
builder.Services.AddCrawlWorker<NativeCrawler>(options => options.PollInterval = TimeSpan.FromMilliseconds(10));
builder.Services.AddAuditWorker<NativeAuditor>(options => options.PollInterval = TimeSpan.FromMilliseconds(10));
builder.Services.AddHealthChecks().AddCrawlData().AddCrawlData(serviceKey: "copy");
using var host = builder.Build();
await host.StartAsync();
var services = host.Services;

var runs = services.GetRequiredService<CrawlRunRepository>();
var events = services.GetRequiredService<CrawlEventRepository>();
var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Goal = "native", DeviceConfig = Jsonb.Parse("""{"dpi": 1.50}""") });
await foreach (var one in events.FollowAsync(run.Id, options: new CrawlEventFollowOptions { Listen = true }))
{
    var crawlEvent = one with { Id = 1, CrawlId = Guid.Empty, CreatedAt = default };
    // snippet: aot-json
    Console.WriteLine(JsonSerializer.Serialize(crawlEvent, AppJson.Default.CrawlEvent));
    // end snippet
}

var session = await services.GetRequiredService<AuditSessionRepository>().InsertAsync(
    new NewAuditSession { Url = "https://example.org/", CrawlPolicyVersion = "1", ConfigSnapshot = Jsonb.Parse("{}") });
while ((await services.GetRequiredService<AuditSessionRepository>().GetAsync(session.Id))!.Status != AuditSessionStatus.Completed)
{
    await Task.Delay(10);
}

var step = new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") };
await events.AppendAsync(run.Id, Enumerable.Repeat(step, 2_000));
Console.WriteLine($"{await events.CountAsync(run.Id)} events");

foreach (var (id, isCrawl) in new[] { (run.Id, true), (session.Id, false) })
{
    using var recording = new MemoryStream();
    var exporter = services.GetRequiredService<RecordingExporter>();
    await (isCrawl ? exporter.ExportCrawlAsync(id, recording) : exporter.ExportSessionAsync(id, recording));
    recording.Position = 0;
    await services.GetRequiredKeyedService<RecordingImporter>("copy").ImportAsync(recording);
}

var copied = (await services.GetRequiredKeyedService<CrawlRunRepository>("copy").ListAsync()).Items.Single();
var copiedEvents = await services.GetRequiredKeyedService<CrawlEventRepository>("copy").CountAsync(copied.Id);
Console.WriteLine($"copied {copied.Goal} {copied.MaxSteps} {copied.Status} {copiedEvents}");
var malformed = await services.GetRequiredService<RecordingImporter>()
    .ImportAsync(new MemoryStream(Encoding.UTF8.GetBytes("""{"table": "crawl_runs", "row": {"status": "PAUSED", "app_package": "a"}}""")))
    .ContinueWith(import => import.Exception!.InnerException!.Message, TaskScheduler.Default);
Console.WriteLine(malformed);

var health = await services.GetRequiredService<Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckService>().CheckHealthAsync();
Console.WriteLine(string.Join(", ", health.Entries.Select(entry => $"{entry.Key} {entry.Value.Status}")));
Console.WriteLine($"{(await services.GetRequiredService<SchemaMigrator>().VerifySchemaAsync()).Count} differences");
Console.WriteLine((await services.GetRequiredService<DatabaseStatusReader>().ReadAsync()).Tables.Count > 0 ? "status" : "no status");
Console.WriteLine((await services.GetRequiredService<RetentionPurger>().PurgeCrawlsAsync(TimeSpan.Zero)).Rows > 0 ? "purged" : "not purged");
await host.StopAsync();
Console.WriteLine(JsonSerializer.IsReflectionEnabledByDefault ? "with reflection" : "without reflection");

internal sealed class NativeCrawler : ICrawlHandler
{
    public async Task HandleAsync(CrawlContext context, CancellationToken cancellationToken) =>
        await context.WriteAsync(
            new NewCrawlEvent { EventType = "page.opened", Payload = Jsonb.From(new PageOpened("https://example.org/", 200), AppJson.Default.PageOpened) },
            cancellationToken);
}

internal sealed class NativeAuditor(AuditPageRepository pages) : IAuditHandler
{
    public async Task HandleAsync(AuditContext context, CancellationToken cancellationToken) =>
        await pages.InsertAsync(
            context.Session.Id, new NewAuditPage { PageType = PageType.Homepage, Viewport = Viewport.Desktop }, cancellationToken: cancellationToken);
}

// snippet: aot-json
internal sealed record PageOpened(string Url, int Status);

[JsonSerializable(typeof(PageOpened))]
[JsonSerializable(typeof(CrawlRun))]
[JsonSerializable(typeof(CrawlEvent))]
[JsonSerializable(typeof(AuditSession))]
[JsonSerializable(typeof(AuditPage))]
[JsonSerializable(typeof(Artifact))]
[JsonSerializable(typeof(CrawlLog))]
[JsonSerializable(typeof(DatabaseStatus))]
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
internal sealed partial class AppJson : JsonSerializerContext;

// end snippet

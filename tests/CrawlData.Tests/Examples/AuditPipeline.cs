using CrawlData;
using CrawlData.Audits;
using CrawlData.Retention;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Examples;

internal static class AuditPipeline
{
    public static IHost Build(string connectionString)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        // snippet: audit-host
        builder.Services.AddCrawlData(connectionString, options => options.Notify = true);
        builder.Services.AddAuditWorker<Auditor>(options => options.Concurrency = 4);
        builder.Services.AddSingleton<IArtifactStore>(new FileArtifactStore(["/var/audits"]));
        builder.Services.AddCrawlDataJanitor(options =>
        {
            options.PurgeArtifactsAfter = TimeSpan.FromDays(30);
            options.PurgeSessionsAfter = TimeSpan.FromDays(400);
            options.PurgeCrawlsAfter = TimeSpan.FromDays(400);
        });
        // end snippet
        return builder.Build();
    }

    public static async Task EnqueueAsync(AuditSessionRepository sessions)
    {
        // snippet: audit
        await sessions.InsertAsync(new NewAuditSession
        {
            Url = "https://example.org/",
            CrawlPolicyVersion = "2026.11",
            ConfigSnapshot = Jsonb.From(new { timeout_ms = 5_000 }),
        });
        // end snippet
    }
}

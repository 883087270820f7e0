using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Reads;

/// <summary>Removes secrets from rows, by the application's functions. No row reaches a page or the API without it.</summary>
internal sealed class Redaction(CrawlDataDashboardOptions options)
{
    private readonly Func<string, Jsonb, Jsonb> redactJson = options.Redact ?? ((_, value) => value);
    private readonly Func<string, string, string> redactText = options.RedactText ?? ((_, value) => value);

    /// <summary>Gets whether JSON may be shown otherwise than it is stored.</summary>
    public bool ChangesJson => options.Redact is not null;

    public CrawlRun Of(CrawlRun run) => run with
    {
        DeviceConfig = run.DeviceConfig is { } device ? redactJson("crawl_runs.device_config", device) : null,
        Goal = Text("crawl_runs.goal", run.Goal),
        ErrorMessage = Text("crawl_runs.error_message", run.ErrorMessage),
    };

    public CrawlEvent Of(CrawlEvent crawlEvent) => crawlEvent with { Payload = redactJson("crawl_events.payload", crawlEvent.Payload) };

    public AuditSession Of(AuditSession session) => session with
    {
        Url = redactText("audit_sessions.url", session.Url),
        FinalUrl = Text("audit_sessions.final_url", session.FinalUrl),
        PdpUrl = Text("audit_sessions.pdp_url", session.PdpUrl),
        ErrorSummary = Text("audit_sessions.error_summary", session.ErrorSummary),
        ConfigSnapshot = redactJson("audit_sessions.config_snapshot", session.ConfigSnapshot),
    };

    public AuditPage Of(AuditPage page) => page with
    {
        LoadTimings = redactJson("audit_pages.load_timings", page.LoadTimings),
        LowConfidenceReasons = redactJson("audit_pages.low_confidence_reasons", page.LowConfidenceReasons),
    };

    public Artifact Of(Artifact artifact) => artifact with
    {
        StorageUri = redactText("artifacts.storage_uri", artifact.StorageUri),
        Checksum = Text("artifacts.checksum", artifact.Checksum),
    };

    public CrawlLog Of(CrawlLog line) => line with
    {
        Message = redactText("crawl_logs.message", line.Message),
        Details = redactJson("crawl_logs.details", line.Details),
    };

    private string? Text(string column, string? value) => value is null ? null : redactText(column, value);
}

using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Tests;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Tests;

/// <summary>A fixture with a database of its own, and a dashboard of it in Development.</summary>
public abstract class DashboardTest : DatabaseTest
{
    internal DashboardHost Host { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task StartHostAsync() => Host = await DashboardHost.StartAsync(DataSource, Configure);

    [OneTimeTearDown]
    public async Task StopHostAsync() => await Host.DisposeAsync();

    protected virtual void Configure(CrawlDataDashboardOptions options)
    {
    }

    /// <summary>Inserts a run that failed, with an event, which hold a text and a JSON value in every column that can.</summary>
    protected async Task<(Guid RunId, long EventId)> InsertRunWithAsync(string text, string json)
    {
        await using var command = DataSource.CreateCommand(
            """
            with run as (
                insert into crawl_runs (id, status, app_package, device_config, goal, error_message, started_at, completed_at)
                values (gen_random_uuid(), 'FAILED', left(@text, 255), @json, @text, @text, now() at time zone 'utc', now() at time zone 'utc')
                returning id
            )
            insert into crawl_events (crawl_id, event_type, payload) select id, left(@text, 50), @json from run returning crawl_id, id
            """);
        command.Parameters.AddWithValue("text", text);
        command.Parameters.AddWithValue("json", NpgsqlDbType.Jsonb, json);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetGuid(0), reader.GetInt64(1));
    }

    /// <summary>Inserts a failed session with a page, an artifact and a log line, which hold a text and a JSON value in every column that can. The
    /// artifact has expired before those of earlier calls.</summary>
    protected async Task<Guid> InsertSessionWithAsync(string text, string json)
    {
        await using var command = DataSource.CreateCommand(
            """
            with session as (
                insert into audit_sessions (
                    id, url, status, final_url, mode, retention_policy, attempts, error_summary, crawl_policy_version, config_snapshot, low_confidence, pdp_url)
                values (gen_random_uuid(), @text, 'failed', @text || '1', 'debug', 'standard', 1, @text, left(@text, 1000), @json, true, @text)
                returning id
            ), page as (
                insert into audit_pages (id, session_id, page_type, viewport, status, load_timings, low_confidence_reasons)
                select gen_random_uuid(), id, 'pdp', 'mobile', 'failed', @json, @json from session
                returning id, session_id
            ), artifact as (
                insert into artifacts (id, session_id, page_id, type, storage_uri, size_bytes, checksum, retention_until)
                select gen_random_uuid(), session_id, id, 'html_gz', @text, 9223372036854775807, @text,
                       now() - (select count(*) from artifacts) * interval '1 minute'
                from page
            )
            insert into crawl_logs (session_id, level, event_type, message, details) select id, 'error', 'popup', @text, @json from session returning session_id
            """);
        command.Parameters.AddWithValue("text", text);
        command.Parameters.AddWithValue("json", NpgsqlDbType.Jsonb, json);
        return (Guid)(await command.ExecuteScalarAsync())!;
    }

    protected Task<CrawlRun> InsertRunAsync(CrawlStatus status, string app = "org.example.app", string? goal = null, string? error = null) =>
        InsertRunAsync(new NewCrawlRun { AppPackage = app, Goal = goal }, status, error);

    protected async Task<AuditSession> InsertSessionAsync(string url, AuditSessionStatus status = AuditSessionStatus.Queued, string? error = null)
    {
        var session = await Sessions.InsertAsync(Session(url));
        await using var update = DataSource.CreateCommand(
            "update audit_sessions set status = @status::audit_session_status_enum, error_summary = @error where id = @id");
        update.Parameters.AddWithValue("status", Text.Labels.ToLabel(status));
        update.Parameters.Add(new("error", NpgsqlDbType.Text) { Value = error is null ? DBNull.Value : error });
        update.Parameters.AddWithValue("id", session.Id);
        await update.ExecuteNonQueryAsync();
        return session with { Status = status, ErrorSummary = error };
    }

    private async Task<CrawlRun> InsertRunAsync(NewCrawlRun row, CrawlStatus status, string? error)
    {
        var run = await Runs.InsertAsync(row);
        if (status is CrawlStatus.Running or CrawlStatus.Completed)
        {
            (await Runs.StartAsync(run.Id)).EnsureApplied();
        }

        var transition = status switch
        {
            CrawlStatus.Completed => await Runs.CompleteAsync(run.Id),
            CrawlStatus.Failed => await Runs.FailAsync(run.Id, error ?? "it failed"),
            CrawlStatus.Cancelled => await Runs.CancelAsync(run.Id),
            _ => null,
        };
        return transition is null ? (await Runs.GetAsync(run.Id))! : transition.EnsureApplied();
    }
}

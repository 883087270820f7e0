namespace CrawlData.Dashboard.Tests.Security;

/// <summary>What the application redacts appears nowhere: on no page, and in no answer of the API.</summary>
public sealed class RedactionTests : DashboardTest
{
    private const string Secret = "secret-of-a-customer";
    private const string Json = $$"""{"token": "{{Secret}}", "step": 1}""";

    [Test]
    public async Task Redacted_values_appear_nowhere()
    {
        await using var host = await DashboardHost.StartAsync(DataSource, options =>
        {
            options.Redact = (column, value) => Jsonb.From(new { redacted = column });
            options.RedactText = (column, _) => $"redacted {column}";
        });
        var shown = new HashSet<string>();
        foreach (var address in await AddressesAsync())
        {
            Assert.That(await Host.GetTextAsync(address), Does.Contain(Secret), $"the control: {address}");
            var text = await host.GetTextAsync(address);
            Assert.That(text, Does.Not.Contain(Secret), address);
            foreach (var column in Columns.Where(column => text.Contains(column, StringComparison.Ordinal)))
            {
                shown.Add(column);
            }
        }

        // Each function saw each column.
        Assert.That(shown, Is.EquivalentTo(Columns));
    }

    [Test]
    public async Task A_request_fails_when_the_redaction_does()
    {
        await using var host = await DashboardHost.StartAsync(
            DataSource, options => options.RedactText = (_, _) => throw new InvalidOperationException("it is broken"));
        foreach (var address in await AddressesAsync())
        {
            using var response = await host.Client.GetAsync(new Uri(address, UriKind.Relative));
            Assert.That((int)response.StatusCode, Is.EqualTo(500), address);
            Assert.That(await response.Content.ReadAsStringAsync(), Does.Not.Contain(Secret), address);
        }
    }

    private static IEnumerable<string> Columns { get; } =
    [
        "crawl_runs.device_config", "crawl_runs.goal", "crawl_runs.error_message", "crawl_events.payload", "audit_sessions.url", "audit_sessions.final_url",
        "audit_sessions.pdp_url", "audit_sessions.error_summary", "audit_sessions.config_snapshot", "audit_pages.load_timings",
        "audit_pages.low_confidence_reasons", "artifacts.storage_uri", "artifacts.checksum", "crawl_logs.message", "crawl_logs.details",
    ];

    private async Task<IEnumerable<string>> AddressesAsync()
    {
        var (runId, eventId) = await InsertRunWithAsync("org.example.app", Json);
        var (otherId, _) = await InsertRunWithAsync("org.example.app", $$"""{"token": "{{Secret}}", "step": 2}""");
        var sessionId = await InsertSessionWithAsync(Secret, Json);
        await using var command = DataSource.CreateCommand(
            $"""
            update crawl_runs set goal = '{Secret}', error_message = '{Secret}' where id = '{runId}';
            update audit_sessions set crawl_policy_version = '2026.11' where id = '{sessionId}'
            """);
        await command.ExecuteNonQueryAsync();
        string[] pages =
        [
            "runs", $"runs/{runId}", $"runs/{runId}/events/{eventId}", "sessions", $"sessions/{sessionId}", "artifacts/expired",
            $"compare?run={runId}&run={otherId}&key=token",
        ];
        return ["", .. pages, "api/v1/overview", .. pages.Select(page => $"api/v1/{page}")];
    }
}

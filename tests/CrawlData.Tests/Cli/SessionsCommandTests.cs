using CrawlData.Audits;

namespace CrawlData.Tests.Cli;

public sealed class SessionsCommandTests : ToolTest
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    // All sessions of the database, an hour apart, the newest last. The first two have been claimed.
    private readonly List<string> ids = [];

    [OneTimeSetUp]
    public async Task EnqueueSessionsAsync()
    {
        for (var hour = 0; hour < 4; hour++)
        {
            var session = await Sessions.InsertAsync(Session($"https://example.org/{hour}") with
            {
                CrawlPolicyVersion = $"2026.{hour % 2}",
                Mode = hour == 2 ? AuditMode.Debug : AuditMode.Standard,
                CreatedAt = Noon.AddHours(hour),
            });
            ids.Add($"{session.Id}");
        }

        var claimed = await Queue.ClaimNextAsync();
        await Queue.FailAsync(claimed!.Id, claimed.Attempts, "no route");
        claimed = await Queue.ClaimNextAsync();
        await Queue.RecordFindingsAsync(claimed!.Id, claimed.Attempts, new AuditFindings { LowConfidence = true });
    }

    [Test]
    [TestCase("", "3210")]
    [TestCase("--oldest-first --limit 3", "012")]
    [TestCase("--status queued", "32")]
    [TestCase("--status FAILED --status running", "10")]
    [TestCase("--policy 2026.1", "31")]
    [TestCase("--mode debug --mode evidence_pack", "2")]
    [TestCase("--low-confidence", "1")]
    [TestCase("--since 2026-11-23T13:00 --until 2026-11-23T15:00", "21")]
    public async Task Filters_select_sessions_in_either_order(string filter, string expected)
    {
        var result = await RunAsync(["sessions", .. filter.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        AssertDone(result);
        Assert.That(result.Column("id"), Is.EqualTo(expected.Select(digit => ids[digit - '0'])));
    }

    [Test]
    public async Task A_session_is_written_with_all_columns()
    {
        var result = await RunAsync("sessions", "--status", "failed");

        Assert.That(result.Rows.Single(), Is.EqualTo(Jsonb.Parse(
            $$"""
            {
              "id": "{{ids[0]}}", "url": "https://example.org/0", "status": "failed", "created_at": "2026-11-23T12:00:00.000Z", "final_url": null,
              "mode": "standard", "retention_policy": "standard", "attempts": 1, "error_summary": "no route", "crawl_policy_version": "2026.0",
              "config_snapshot": {"timeout_ms": 5000}, "low_confidence": false, "pdp_url": null
            }
            """)));
    }

    [Test]
    public async Task An_unknown_status_is_reported_with_the_known_ones() =>
        AssertFailed(
            await RunAsync("sessions", "--status", "done"),
            2,
            "crawldata: --status takes one of queued, running, completed, failed, partial, not 'done'; see crawldata sessions --help.");
}

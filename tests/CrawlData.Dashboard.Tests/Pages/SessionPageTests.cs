using System.Text.Json;
using CrawlData.Audits;

namespace CrawlData.Dashboard.Tests.Pages;

public sealed class SessionPageTests : DashboardTest
{
    [Test]
    public async Task It_shows_pages_by_viewport_artifacts_and_the_log()
    {
        var session = await InsertSessionAsync("https://example.org/", AuditSessionStatus.Failed, "the page did not load");
        var pages = await Pages.InsertAsync(session.Id,
        [
            new NewAuditPage
            {
                PageType = PageType.Homepage,
                Viewport = Viewport.Desktop,
                Status = PageStatus.Ok,
                LoadTimings = Jsonb.Parse("""{"load_ms": 118.50}"""),
            },
            new NewAuditPage
            {
                PageType = PageType.Pdp,
                Viewport = Viewport.Mobile,
                Status = PageStatus.Failed,
                LowConfidenceReasons = Jsonb.Parse("""["popup"]"""),
            },
        ]);
        await Artifacts.InsertAsync(session.Id, new NewArtifact
        {
            PageId = pages[0].Id,
            Type = ArtifactType.Screenshot,
            StorageUri = "s3://audits/home.png",
            SizeBytes = 95_881,
            RetentionUntil = DateTimeOffset.UtcNow.AddHours(-1),
        });
        await Logs.AppendAsync(session.Id, Enumerable.Range(1, 3).Select(number => Line(number)));

        var page = await Host.GetPageAsync($"sessions/{session.Id}");
        var rows = page.QuerySelectorAll(".matrix tbody tr");

        Assert.That(page.QuerySelector(".error-box")!.TextContent, Is.EqualTo("the page did not load"));
        Assert.That(rows[0].Children[1].TextContent, Does.Contain("ok").And.Contain("""{"load_ms": 118.50}""").And.Not.Contain("low confidence"));
        Assert.That(rows[0].Children[2].TextContent.Trim(), Is.Empty);
        Assert.That(rows[1].Children[2].TextContent, Does.Contain("failed").And.Contain("low confidence").And.Contain("popup"));
        Assert.That(page.QuerySelectorAll("table")[1].TextContent, Does.Contain("s3://audits/home.png").And.Contain("95.9 kB").And.Contain("expired"));
        Assert.That(
            page.QuerySelectorAll("table")[2].QuerySelectorAll(".text").Select(line => line.TextContent), Is.EqualTo(new[] { "line 3", "line 2", "line 1" }));
    }

    [Test]
    public async Task The_log_is_read_in_pages_and_by_level()
    {
        var session = await InsertSessionAsync("https://example.org/log");
        await Logs.AppendAsync(
            session.Id, Enumerable.Range(1, 5).Select(number => Line(number) with { Level = number % 2 == 0 ? CrawlLogLevel.Error : CrawlLogLevel.Info }));

        var first = await Host.GetPageAsync($"sessions/{session.Id}?level=error&size=1");
        var second = await Host.GetPageAsync($"sessions/{session.Id}{first.QuerySelector("a[rel=next]")!.GetAttribute("href")!.Split('#')[0]}");
        using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/sessions/{session.Id}?level=error"));

        Assert.That(first.QuerySelectorAll(".text").Select(line => line.TextContent), Is.EqualTo(new[] { "line 4" }));
        Assert.That(second.QuerySelectorAll(".text").Select(line => line.TextContent), Is.EqualTo(new[] { "line 2" }));
        Assert.That(second.QuerySelector("a[rel=next]"), Is.Null);
        Assert.That(
            twin.RootElement.GetProperty("log").GetProperty("items").EnumerateArray().Select(line => line.GetProperty("message").GetString()),
            Is.EqualTo(new[] { "line 4", "line 2" }));
    }

    [Test]
    public async Task A_session_without_rows_says_so()
    {
        var session = await InsertSessionAsync("https://example.org/empty");
        var page = await Host.GetPageAsync($"sessions/{session.Id}");

        Assert.That(
            page.QuerySelectorAll(".empty").Select(text => text.TextContent),
            Is.EqualTo(new[] { "No page was recorded.", "No artifact was recorded.", "No line was logged." }));
    }
}

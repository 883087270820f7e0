using System.Text.Json;
using AngleSharp.Dom;
using CrawlData.Audits;
using CrawlData.Dashboard.Text;

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
    public async Task A_session_that_is_delayed_says_until_when_and_one_whose_delay_is_over_does_not()
    {
        var delayed = await InsertSessionAsync("https://example.org/delayed", AuditSessionStatus.Running);
        var over = await InsertSessionAsync("https://example.org/over", AuditSessionStatus.Running);
        foreach (var session in new[] { delayed, over })
        {
            await ExecuteAsync($"update audit_sessions set attempts = 1 where id = '{session.Id}'");
            (await Queue.RetryAsync(session.Id, 1, "the site is down", TimeSpan.FromDays(1), maxAttempts: 9)).EnsureApplied();
        }

        await ExecuteAsync($"update audit_session_claims set not_before = now() - interval '1 s' where session_id = '{over.Id}'");
        await using var ask = DataSource.CreateCommand($"select not_before from audit_session_claims where session_id = '{delayed.Id}'");
        var time = new DateTimeOffset((DateTime)(await ask.ExecuteScalarAsync())!);
        var page = await Host.GetPageAsync($"sessions/{delayed.Id}");
        var list = await Host.GetPageAsync("sessions?status=queued&size=500");
        using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/sessions/{delayed.Id}"));

        Assert.That(page.QuerySelector(".facts")!.TextContent, Does.Contain($"Delayed until{Show.Time(time)}"));
        Assert.That((await Host.GetPageAsync($"sessions/{over.Id}")).QuerySelector(".facts")!.TextContent, Does.Not.Contain("Delayed"));
        Assert.That(Row(delayed.Id).TextContent, Does.Contain($"until {Show.Time(time)}"));
        Assert.That(Row(over.Id).TextContent, Does.Not.Contain("until"));
        Assert.That(twin.RootElement.GetProperty("delayed_until").GetDateTimeOffset(), Is.EqualTo(time));

        IElement Row(Guid id) =>
            list.QuerySelectorAll("tbody tr").Single(row => row.QuerySelector("a")!.GetAttribute("href")!.EndsWith($"{id}", StringComparison.Ordinal));
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

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}

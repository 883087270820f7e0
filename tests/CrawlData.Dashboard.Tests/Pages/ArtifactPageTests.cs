using System.Text.Json;

namespace CrawlData.Dashboard.Tests.Pages;

public sealed class ArtifactPageTests : DashboardTest
{
    [Test]
    public async Task What_expired_and_what_expires_in_seven_days_is_counted_and_leads_to_its_list()
    {
        await AssertEmptyAsync();
        var session = await InsertSessionAsync("https://example.org/");
        var audited = await Pages.InsertAsync(session.Id, Page());
        var now = DateTimeOffset.UtcNow;
        await Artifacts.InsertAsync(session.Id, Artifact(audited.Id, 1_500) with { RetentionUntil = now.AddDays(-1) });
        await Artifacts.InsertAsync(session.Id, Artifact(audited.Id, 20_000) with { RetentionUntil = now.AddDays(1), StorageUri = "s3://audits/first.png" });
        await Artifacts.InsertAsync(session.Id, Artifact(audited.Id, 2_000) with { RetentionUntil = now.AddDays(6), StorageUri = "s3://audits/last.png" });
        await Artifacts.InsertAsync(session.Id, Artifact(audited.Id, 300) with { RetentionUntil = now.AddDays(8) });
        await using var host = await DashboardHost.StartAsync(DataSource, options => options.Artifacts = (_, _) => Task.FromResult<Stream?>(null));

        var page = await host.GetPageAsync("artifacts");
        var (expired, expiring) = (page.QuerySelector("a[href='artifacts/expired']")!, page.QuerySelector("a[href='artifacts/expiring']")!);
        var first = await host.GetPageAsync($"{expiring.GetAttribute("href")}?size=1");
        var second = await host.GetPageAsync($"artifacts/expiring{first.QuerySelector("a[rel=next]")!.GetAttribute("href")}");
        var gone = await host.GetPageAsync(expired.GetAttribute("href")!);
        using var twin = JsonDocument.Parse(await host.GetTextAsync("api/v1/artifacts"));
        using var list = JsonDocument.Parse(await host.GetTextAsync("api/v1/artifacts/expiring"));

        var items = list.RootElement.GetProperty("items");
        Assert.That(Words(expiring.ParentElement!), Is.EqualTo("2 artifacts with 22.0 kB expire in the next seven days."));
        Assert.That(first.QuerySelector(".main")!.TextContent, Does.Contain("first.png"));
        Assert.That(
            first.QuerySelectorAll("tbody a").Select(link => link.GetAttribute("href")),
            Is.EqualTo(new[] { $"../sessions/{session.Id}/artifacts/{items[0].GetProperty("id")}", $"../sessions/{session.Id}" }));
        Assert.That(second.QuerySelector(".main")!.TextContent, Does.Contain("last.png"));
        Assert.That(second.QuerySelector("a[rel=next]"), Is.Null);
        Assert.That(Words(expired.ParentElement!), Does.StartWith("1 artifact with 1.5 kB expired"));
        Assert.That(gone.QuerySelectorAll("tbody tr"), Has.Length.EqualTo(1));
        Assert.That(twin.RootElement.GetProperty("expiring").ToString(), Is.EqualTo("""{"count":2,"size_bytes":22000}"""));
        Assert.That(items.GetArrayLength(), Is.EqualTo(2));
    }

    private async Task AssertEmptyAsync()
    {
        Assert.That((await Host.GetPageAsync("artifacts")).QuerySelector("main")!.TextContent, Does.Contain("No artifact expires in the next seven days."));
        Assert.That((await Host.GetPageAsync("artifacts/expiring")).QuerySelector(".empty")!.TextContent, Is.EqualTo("No artifact expires in this time."));
        Assert.That((await Host.GetPageAsync("artifacts/expired")).QuerySelector(".empty")!.TextContent, Is.EqualTo("No artifact has expired."));
    }

    private static string Words(AngleSharp.Dom.IElement element) =>
        string.Join(' ', element.TextContent.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries));
}

using System.Net;
using System.Text.Json;
using AngleSharp.Dom;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Tests.Pages;

public sealed class ComparisonTests : DashboardTest
{
    private Guid olderId;
    private Guid newerId;

    [OneTimeSetUp]
    public async Task InsertAsync()
    {
        olderId = (await InsertRunAsync(CrawlStatus.Completed)).Id;
        newerId = (await InsertRunAsync(CrawlStatus.Running)).Id;
        await Events.AppendAsync(olderId, [Seen("/gone", "Gone", 1), Seen("/same", "Same", 1), Seen("/slow", "Slow", 1), Seen("/moved", "Old title", 1)]);
        await Events.AppendAsync(
            newerId, [Seen("/same", "Same", 1), Seen("/slow", "Slow", 2), Seen("/moved", "New title", 1), Seen("/new", "New", 1), Event(1)]);
    }

    [TestCase("", new[] { "removed /gone", "changed /moved title", "added /new", "changed /slow ms" })]
    [TestCase("&properties=title,%20status", new[] { "removed /gone", "changed /moved title", "added /new" })]
    [TestCase("&key=title&properties=title", new[] { "removed Gone", "added New", "added New title", "removed Old title" })]
    [TestCase("&type=page", new[] { "removed /gone", "changed /moved title", "added /new", "changed /slow ms" })]
    [TestCase("&type=other", new string[0])]
    [TestCase("&key=missing", new string[0])]
    public async Task It_shows_what_was_added_removed_and_changed(string query, string[] expected)
    {
        // The older run is the one that was created first, however they are ticked.
        foreach (var address in new[] { $"compare?run={newerId}&run={olderId}{query}", $"compare?run={olderId}&run={newerId}{query}" })
        {
            var page = await Host.GetPageAsync(address);
            using var twin = JsonDocument.Parse(await Host.GetTextAsync($"api/v1/{address}"));

            Assert.That(
                page.QuerySelectorAll("h2 ~ .scroll .rows tbody tr").Select(row => $"{Words(row.Children[0])} {Words(row.Children[1])}"), Is.EqualTo(expected));
            Assert.That(
                twin.RootElement.GetProperty("differences").EnumerateArray().Select(one => one.GetProperty("kind").GetString()),
                Is.EqualTo(expected.Select(text => text.Split(' ')[0])));
            Assert.That(page.QuerySelectorAll(".empty"), Has.Length.EqualTo(expected.Length == 0 ? 1 : 0));
            Assert.That(
                page.QuerySelectorAll("table")[^1].QuerySelectorAll("tbody tr").Select(Words), Is.EqualTo(new[] { "page 4 4 0", "step 0 1 +1" }));
        }
    }

    [Test]
    public async Task A_difference_leads_to_its_events()
    {
        var page = await Host.GetPageAsync($"compare?run={newerId}&run={olderId}");
        foreach (var link in page.QuerySelectorAll("h2 ~ .scroll .rows a"))
        {
            await Host.GetPageAsync(link.GetAttribute("href")!);
        }

        Assert.That(
            page.QuerySelectorAll("h2 ~ .scroll .rows a").Select(link => link.TextContent),
            Is.EqualTo(new[] { "older", "older", "newer", "newer", "older", "newer" }));
    }

    [TestCase("compare")]
    [TestCase("compare?run={run}")]
    [TestCase("compare?run={run}&run={run}&run={run}")]
    [TestCase("compare?run={run}&run=x")]
    public async Task Two_runs_have_to_be_ticked(string address)
    {
        var page = await Host.GetPageAsync(address.Replace("{run}", $"{olderId}", StringComparison.Ordinal), HttpStatusCode.BadRequest);

        Assert.That(page.QuerySelector("main p")!.TextContent, Is.EqualTo("run must be given twice: tick two runs, and no more."));
    }

    [Test]
    public Task An_unknown_run_is_not_found() => Host.GetPageAsync($"compare?run={olderId}&run={Guid.NewGuid()}", HttpStatusCode.NotFound);

    private static NewCrawlEvent Seen(string url, string title, int ms) => new() { EventType = "page", Payload = Jsonb.From(new { url, title, ms }) };

    private static string Words(INode node) =>
        string.Join(' ', node.Descendants<IText>().SelectMany(text => text.Data.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries)));
}

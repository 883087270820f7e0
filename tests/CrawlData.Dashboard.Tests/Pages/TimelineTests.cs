using System.Net;
using System.Text.Json;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Tests.Pages;

/// <summary>The steps and the screens of a run.</summary>
public sealed class TimelineTests : DashboardTest
{
    private static readonly byte[] Gif = "GIF89a, the rest"u8.ToArray();
    private readonly List<string> opened = [];
    private DashboardHost pictures = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => pictures = await DashboardHost.StartAsync(DataSource, options =>
    {
        Configure(options);
        options.Artifacts = (uri, _) =>
        {
            lock (opened)
            {
                opened.Add(uri);
            }

            return Task.FromResult<Stream?>(new MemoryStream(Gif));
        };
        options.Redact = (_, value) => value.ToString().Contains("hidden", StringComparison.Ordinal) ? Jsonb.From(new { redacted = true }) : value;
    });

    [OneTimeTearDown]
    public async Task StopAsync() => await pictures.DisposeAsync();

    [Test]
    public async Task A_run_with_screenshots_opens_on_them()
    {
        var run = await InsertRunAsync(CrawlStatus.Completed);
        var ids = await Events.AppendAsync(run.Id,
        [
            Of("crawl.started", new { }),
            Of("step.navigated", new { title = "Home <script>" }),
            Of("screen.captured", new { url = "https://example.org/", screenshot_uri = "s3://crawls/1.gif" }),
            Of("tap", new { artifact_uri = "s3://crawls/tap.gif" }),
            Of("screen.captured", new { artifact_uri = 7 }),
        ]);

        var page = await pictures.GetPageAsync($"runs/{run.Id}");
        var steps = await pictures.GetPageAsync($"runs/{run.Id}?tab=steps");
        var events = await pictures.GetPageAsync($"runs/{run.Id}{Tab(page, "Events")}");
        using var content = await pictures.Client.GetAsync(new Uri($"runs/{page.QuerySelector(".timeline img")!.GetAttribute("src")}", UriKind.Relative));
        using var twin = JsonDocument.Parse(await pictures.GetTextAsync($"api/v1/runs/{run.Id}"));

        Assert.That(page.QuerySelectorAll(".tabs a").Select(tab => tab.TextContent), Is.EqualTo(new[] { "Screens", "Steps", "Events", "Over time", "Stats" }));
        Assert.That(page.QuerySelector(".tabs a[aria-current]")!.TextContent, Is.EqualTo("Screens"));
        Assert.That(page.QuerySelectorAll(".timeline li").Select(item => item.Id), Is.EqualTo(new[] { $"e{ids[2]}", $"e{ids[4]}" }));
        Assert.That(page.QuerySelectorAll(".timeline img"), Has.Length.EqualTo(1), "an artifact_uri that is no text is none");
        Assert.That(steps.QuerySelector(".timeline .said a")!.TextContent, Is.EqualTo("Home <script>"));
        Assert.That(events.QuerySelectorAll(".events tbody tr"), Has.Length.EqualTo(5));
        Assert.That(content.Content.Headers.ContentType!.MediaType, Is.EqualTo("image/gif"));
        Assert.That(opened, Does.Contain("s3://crawls/1.gif"));
        Assert.That(twin.RootElement.GetProperty("events").GetProperty("items").GetArrayLength(), Is.EqualTo(5), "the API answers with events");
        Assert.That((await pictures.GetPageAsync($"runs/{run.Id}/events/{ids[3]}")).QuerySelector(".picture img"), Is.Not.Null);
        Assert.That((await pictures.GetPageAsync($"runs/{run.Id}/events/{ids[4]}")).QuerySelector(".picture img"), Is.Null);
    }

    [Test]
    public async Task An_event_shows_the_screen_that_the_crawl_was_on()
    {
        var (run, other) = (await InsertRunAsync(CrawlStatus.Completed), await InsertRunAsync(CrawlStatus.Completed));
        var ids = await Events.AppendAsync(run.Id,
        [
            Of("crawl.started", new { }),
            Of("screen.captured", new { title = "Home <script>", screenshot_uri = "s3://crawls/home.gif" }),
            Of("tap", new { }),
            Of("screen.captured", new { title = "Cart" }),
            Of("tap", new { }),
        ]);
        var foreign = await Events.AppendAsync(other.Id, [Of("tap", new { })]);

        var tap = await pictures.GetPageAsync($"runs/{run.Id}/events/{ids[2]}");
        var later = await pictures.GetPageAsync($"runs/{run.Id}/events/{ids[4]}");
        using var twin = JsonDocument.Parse(await pictures.GetTextAsync($"api/v1/runs/{run.Id}/events/{ids[4]}"));
        using var none = JsonDocument.Parse(await pictures.GetTextAsync($"api/v1/runs/{run.Id}/events/{ids[0]}"));

        Assert.That(tap.QuerySelector(".card .said a")!.TextContent, Is.EqualTo("Home <script>"));
        Assert.That(tap.QuerySelector(".card .said a")!.GetAttribute("href"), Is.EqualTo($"{ids[1]}"));
        Assert.That(tap.QuerySelector(".card img")!.GetAttribute("src"), Is.EqualTo($"{ids[1]}/artifact"));
        Assert.That(later.QuerySelector(".card .said a")!.TextContent, Is.EqualTo("Cart"));
        Assert.That(later.QuerySelector(".card img"), Is.Null);
        Assert.That(twin.RootElement.GetProperty("screen").GetProperty("id").GetInt64(), Is.EqualTo(ids[3]));
        Assert.That(none.RootElement.GetProperty("screen").ValueKind, Is.EqualTo(JsonValueKind.Null));
        foreach (var (runId, id) in new[] { (run.Id, ids[0]), (run.Id, ids[1]), (other.Id, foreign[0]) })
        {
            Assert.That((await pictures.GetPageAsync($"runs/{runId}/events/{id}")).QuerySelector(".card"), Is.Null, "no screen before, or itself");
        }

        var withoutResolver = await Host.GetPageAsync($"runs/{run.Id}/events/{ids[2]}");
        Assert.That(withoutResolver.QuerySelector(".card .said a"), Is.Not.Null);
        Assert.That(withoutResolver.QuerySelector("img"), Is.Null);
        await using var without = await DashboardHost.StartAsync(DataSource, options => options.ScreenEventTypes = []);
        Assert.That((await without.GetPageAsync($"runs/{run.Id}/events/{ids[2]}")).QuerySelector(".card"), Is.Null);
    }

    [Test]
    public async Task Without_a_resolver_it_opens_on_its_events_and_shows_no_pictures()
    {
        var run = await InsertRunAsync(CrawlStatus.Completed);
        var ids = await Events.AppendAsync(run.Id, [Of("screen.captured", new { artifact_uri = "s3://crawls/1.gif" })]);

        var page = await Host.GetPageAsync($"runs/{run.Id}");
        var screens = await Host.GetPageAsync($"runs/{run.Id}?tab=screens");

        Assert.That(page.QuerySelectorAll(".tabs a").Select(tab => tab.TextContent), Is.EqualTo(new[] { "Screens", "Events", "Over time", "Stats" }));
        Assert.That(page.QuerySelector(".tabs a[aria-current]")!.TextContent, Is.EqualTo("Events"));
        Assert.That(screens.QuerySelectorAll(".timeline li"), Has.Length.EqualTo(1));
        Assert.That(screens.QuerySelector("img"), Is.Null);
        await Host.GetTextAsync($"runs/{run.Id}/events/{ids[0]}/artifact", HttpStatusCode.NotFound);
    }

    [Test]
    public async Task A_run_without_steps_and_screens_shows_no_empty_tab()
    {
        var run = await InsertRunAsync(CrawlStatus.Completed);
        await Events.AppendAsync(run.Id, [Of("tap", new { })]);

        var page = await pictures.GetPageAsync($"runs/{run.Id}");

        Assert.That(page.QuerySelectorAll(".tabs a").Select(tab => tab.TextContent), Is.EqualTo(new[] { "Events", "Over time", "Stats" }));
        Assert.That(page.QuerySelectorAll(".events tbody tr"), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Screens_are_read_in_pages_in_either_order()
    {
        var run = await InsertRunAsync(CrawlStatus.Completed);
        var ids = await Events.AppendAsync(run.Id, Enumerable.Range(0, 6).Select(number => Of(number % 2 == 0 ? "screen.captured" : "tap", new { })));

        var first = await Host.GetPageAsync($"runs/{run.Id}?tab=screens&size=2");
        var next = await Host.GetPageAsync($"runs/{run.Id}{first.QuerySelector("a[rel=next]")!.GetAttribute("href")}");
        var newest = await Host.GetPageAsync($"runs/{run.Id}?tab=screens&order=newest&size=2");

        Assert.That(Ids(first), Is.EqualTo(new[] { ids[0], ids[2] }));
        Assert.That(Ids(next), Is.EqualTo(new[] { ids[4] }));
        Assert.That(Ids(newest), Is.EqualTo(new[] { ids[4], ids[2] }));
    }

    [Test]
    public async Task A_screenshot_whose_URI_is_redacted_is_not_served()
    {
        var run = await InsertRunAsync(CrawlStatus.Completed);
        var ids = await Events.AppendAsync(run.Id, [Of("screen.captured", new { artifact_uri = "s3://hidden/1.gif" })]);

        Assert.That((await pictures.GetPageAsync($"runs/{run.Id}")).QuerySelector(".timeline img"), Is.Null);
        await pictures.GetTextAsync($"runs/{run.Id}/events/{ids[0]}/artifact", HttpStatusCode.NotFound);
        Assert.That(opened, Has.None.Contains("hidden"));
    }

    protected override void Configure(CrawlDataDashboardOptions options) => options.StatementTimeout = TimeSpan.FromMinutes(1);

    private static NewCrawlEvent Of(string type, object payload) => new() { EventType = type, Payload = Jsonb.From(payload) };

    private static string Tab(AngleSharp.Html.Dom.IHtmlDocument page, string name) =>
        page.QuerySelectorAll(".tabs a").Single(tab => tab.TextContent == name).GetAttribute("href")!;

    private static IEnumerable<long> Ids(AngleSharp.Html.Dom.IHtmlDocument page) =>
        page.QuerySelectorAll(".timeline li").Select(item => long.Parse(item.Id![1..], System.Globalization.CultureInfo.InvariantCulture));
}

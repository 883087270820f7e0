using CrawlData.Audits;
using CrawlData.Cli.Serving;
using CrawlData.Dashboard.Tests;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>Screenshots are seen, and other artifacts are downloaded, where the application says how to open them.</summary>
public sealed class ArtifactPictureTests : BrowserTest
{
    private DirectoryInfo folder = null!;

    [OneTimeSetUp]
    public void CreateFolder() => folder = Directory.CreateTempSubdirectory("crawldata-artifacts-");

    [OneTimeTearDown]
    public void DeleteFolder() => folder.Delete(recursive: true);

    [TestCase("operator-run-screens", 50)]
    [TestCase("operator-session-pictures", 4)]
    public Task A_resolver_s_pictures_are_seen_and_lead_to_themselves(string name, int count) => BrowseAsync(name, async page =>
    {
        Assert.That(await WidthsAsync(page), Has.Length.EqualTo(count).And.All.Positive);
        var response = await page.RunAndWaitForResponseAsync(
            () => page.Locator(".thumbnail").First.ClickAsync(), answer => answer.Request.IsNavigationRequest);
        Assert.That((response.Status, response.Headers["content-type"]), Is.EqualTo((200, "image/png")));
        await Expect(page.Locator("img")).ToBeVisibleAsync();
    });

    [Test]
    public Task What_is_no_picture_is_a_download() => BrowseAsync("operator-session-pictures", async page =>
    {
        var text = page.Locator("tr").Filter(new LocatorFilterOptions { HasText = "visible_text" }).First.GetByRole(AriaRole.Link);
        var download = await page.RunAndWaitForDownloadAsync(() => text.ClickAsync());

        Assert.That(download.SuggestedFilename, Does.Match(@"^visible_text-[0-9a-f-]{36}\.txt$"));
        Assert.That(await File.ReadAllTextAsync((await download.PathAsync())!), Does.StartWith("s3://audits/").And.EndsWith("/visible_text"));
    });

    [Test]
    public async Task A_root_folder_s_pictures_are_seen_and_files_beside_it_are_not()
    {
        var root = Directory.CreateDirectory(Path.Combine(folder.FullName, "artifacts")).FullName;
        foreach (var file in new[] { Path.Combine(root, "home.png"), Path.Combine(folder.FullName, "beside.png") })
        {
            await File.WriteAllBytesAsync(file, DemoPictures.Draw("Home"));
        }

        await using var host = await DashboardHost.StartAsync(DataSource, options => options.ArtifactRoot = root);
        var session = (await InsertSessionAsync("https://example.org/")).Id;
        foreach (var (viewport, file) in new[] { (Viewport.Desktop, "home.png"), (Viewport.Mobile, "../beside.png") })
        {
            var page = await Pages.InsertAsync(session, new NewAuditPage { PageType = PageType.Homepage, Viewport = viewport });
            var uri = $"{new Uri(root).AbsoluteUri}/{file}";
            await Artifacts.InsertAsync(session, new NewArtifact { PageId = page.Id, Type = ArtifactType.Screenshot, StorageUri = uri, SizeBytes = 1 });
        }

        await BrowseAsync(
            async page =>
            {
                await page.GotoAsync($"sessions/{session}");
                Assert.That(await WidthsAsync(page), Is.EqualTo(new[] { 206, 0 }));
                await Expect(page.GetByAltText("Screenshot of the homepage on mobile")).ToBeVisibleAsync();
            },
            root: host.Client.BaseAddress);
    }

    [Test]
    public Task Steps_and_screens_are_tabs_of_a_run() => BrowseAsync("operator-run-screens", async page =>
    {
        var tabs = page.Locator(".tabs a");
        await Expect(tabs).ToHaveTextAsync(["Screens", "Steps", "Events", "Over time", "Stats"]);
        await Expect(page.Locator(".tabs [aria-current]")).ToHaveTextAsync("Screens");
        var items = page.Locator(".timeline li");
        await Expect(items.First).ToContainTextAsync("Article 4");
        await Link(page, "Newest first").ClickAsync();
        await Expect(items.First).ToContainTextAsync("Article 240");
        await Link(page, "Older →").ClickAsync();
        await Expect(items).ToHaveCountAsync(9);

        await tabs.Nth(1).ClickAsync();
        await Expect(page.Locator(".tabs [aria-current]")).ToHaveTextAsync("Steps");
        await Expect(page.Locator("img")).ToHaveCountAsync(0);
        await items.First.GetByRole(AriaRole.Link).First.ClickAsync();
        await Expect(page.Locator(".payload")).ToContainTextAsync("article-1");
    });

    // A picture that cannot be decoded has none.
    private static Task<int[]> WidthsAsync(IPage page) => page.EvaluateAsync<int[]>(
        """
        () => Promise.all([...document.images].map(async image => {
            image.loading = "eager";
            await image.decode().catch(() => undefined);
            return image.naturalWidth;
        }))
        """);
}

using System.Text.RegularExpressions;
using CrawlData.Dashboard.Tests;
using CrawlData.Packages.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>Wherever the dashboard is mapped, and behind nginx, its links, forms and assets lead a browser to it.</summary>
public sealed partial class PlaceTests : BrowserTest
{
    [TestCase("/", "/", null)]
    [TestCase("/crawls", "/crawls/", null)]
    [TestCase("/ops/a b/crawls", "/ops/a%20b/crawls/", null)]
    [TestCase("/crawls", "/base/crawls/", "/base")]
    public async Task Its_links_and_forms_work(string pattern, string first, string? pathBase)
    {
        await using var host = await StartAsync(pattern, pathBase);

        await WalkAsync(new Uri(host.Client.BaseAddress!, first));
    }

    /// <summary>nginx passes the path on as it is, or with another prefix, as it does when <c>proxy_pass</c> has a path.</summary>
    [Test]
    public async Task Its_links_and_forms_work_behind_nginx(
        [Values("/crawls", "/")] string pattern, [Values] bool hasOtherPrefix, [Values("on", "off")] string buffering)
    {
        await using var host = await StartAsync(pattern, null);
        var location = hasOtherPrefix ? "/ops/tools/" : pattern == "/" ? "/" : $"{pattern}/";
        var path = hasOtherPrefix ? pattern == "/" ? "/" : $"{pattern}/" : "";
        using var nginx = await Nginx.StartAsync(host.Client.BaseAddress!, $"proxy_buffering {buffering};", location, path);

        await WalkAsync(new Uri(nginx.Address, location));
    }

    private Task<DashboardHost> StartAsync(string pattern, string? pathBase) => DashboardHost.StartAsync(
        DataSource,
        environment: "Production",
        map: application =>
        {
            if (pathBase is not null)
            {
                application.UsePathBase(pathBase);
                application.UseRouting();
            }

            application.MapCrawlDataDashboard(pattern).AllowAnonymous();
        });

    /// <summary>Opens one page of each kind that a link leads to, and submits each kind of form.</summary>
    private Task WalkAsync(Uri root) => BrowseAsync(
        async page =>
        {
            var kinds = new HashSet<string> { "" };
            var next = new Queue<Uri>([root]);
            while (next.TryDequeue(out var address))
            {
                var response = await page.GotoAsync(address.AbsoluteUri);
                Assert.That(response!.Status, Is.EqualTo(200), address.AbsoluteUri);
                Assert.That(page.Url, Does.StartWith(root.AbsoluteUri));
                if (response.Headers["content-type"].StartsWith("application/json", StringComparison.Ordinal))
                {
                    continue;
                }

                // The stylesheet and the script have come.
                Assert.That(await page.EvaluateAsync<string>("() => getComputedStyle(document.querySelector('.bar')).display"), Is.EqualTo("flex"));
                await Expect(Button(page, "Show local times")).ToBeVisibleAsync();
                foreach (var link in await page.EvaluateAsync<string[]>("() => [...document.links].map(link => link.href)"))
                {
                    Assert.That(link, Does.StartWith(root.AbsoluteUri), address.AbsoluteUri);
                    var target = new Uri(link);
                    if (kinds.Add(Values().Replace($"{root.MakeRelativeUri(new Uri(target.GetLeftPart(UriPartial.Query)))}", "*")))
                    {
                        next.Enqueue(target);
                    }
                }
            }

            Assert.That(
                kinds,
                Is.SupersetOf(new[]
                {
                    "runs", "runs/*", "runs/*/events/*", "sessions", "sessions/*", "artifacts", "status", "api/v1/overview", "api/v1/runs/*/events/*",
                }));
            await SubmitAsync(page, root);
        },
        root: root);

    private static async Task SubmitAsync(IPage page, Uri root)
    {
        await page.GotoAsync(new Uri(root, "runs").AbsoluteUri);
        await page.GetByLabel("App").FillAsync("org.example.shop");
        await Button(page, "Filter").ClickAsync();
        await Expect(Rows(page)).ToHaveCountAsync(3);
        await Link(page, "CrawlData").ClickAsync();
        await Expect(page.Locator("h1")).ToHaveTextAsync("Overview");
        Assert.That(page.Url, Is.EqualTo(root.AbsoluteUri));
        await Link(page, "Runs").ClickAsync();
        await page.Locator($"input[value='{Showcase.Yesterday}']").CheckAsync();
        await page.Locator($"input[value='{Showcase.Today}']").CheckAsync();
        await Button(page, "Compare").ClickAsync();
        await Expect(page.GetByText("1 added, 1 removed, 1 changed")).ToBeVisibleAsync();
        await page.GotoAsync(new Uri(root, $"sessions/{Showcase.Audit}").AbsoluteUri);
        await page.GetByLabel("Level").SelectOptionAsync("warn");
        await Button(page, "Show").ClickAsync();
        await Expect(page.Locator("[data-log] tbody tr")).ToHaveCountAsync(1);
    }

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)-?[0-9]+|(?<==)[^&]*")]
    private static partial Regex Values();
}

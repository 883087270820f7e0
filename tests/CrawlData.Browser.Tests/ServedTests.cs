using CrawlData.Cli.Serving;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>What <c>crawldata serve</c> shows, to the browser that opens its link, and to others.</summary>
public sealed class ServedTests : BrowserTest
{
    private const string Token = "a token of the tests";

    [Test]
    public async Task The_link_works_once_and_that_browser_keeps_a_cookie()
    {
        await using var server = await StartAsync(new DashboardServerOptions());
        await BrowseAsync(
            async page =>
            {
                await page.GotoAsync(server.Link.AbsoluteUri);
                await Expect(page.Locator("h1")).ToHaveTextAsync("Overview");
                Assert.That(new Uri(page.Url).Query, Is.Empty, "the address shows no token");
                var cookie = (await page.Context.CookiesAsync()).Single();
                Assert.That((cookie.HttpOnly, cookie.SameSite, cookie.Expires), Is.EqualTo((true, SameSiteAttribute.Strict, -1f)));
                Assert.That(await page.EvaluateAsync<string>("() => document.cookie"), Is.Empty);

                await Link(page, "Runs").ClickAsync();
                await Expect(Rows(page)).ToHaveCountAsync(50);
                await page.GotoAsync(server.Link.AbsoluteUri);
                await Expect(page.Locator("h1")).ToHaveTextAsync("Overview");
            },
            root: new Uri(server.Link, "/"));
        await BrowseAsync(page => AssertRefusedAsync(page, server.Link, "the link that crawldata printed"), root: new Uri(server.Link, "/"));
    }

    /// <summary>The name leads to this machine, as the name of another site's page may.</summary>
    [Test]
    public async Task A_host_that_is_not_allowed_is_refused_whatever_the_browser_has_seen()
    {
        await using var server = await StartAsync(new DashboardServerOptions { Hosts = ["allowed.test"] });
        await using var context = await BrowserSetUp.Browser.NewContextAsync();
        var page = await context.NewPageAsync();
        await page.GotoAsync(server.Link.AbsoluteUri);
        await Expect(page.Locator("h1")).ToHaveTextAsync("Overview");
        Assert.That(new Uri(page.Url).Host, Is.EqualTo("allowed.test"));

        await AssertRefusedAsync(page, new UriBuilder(server.Link) { Host = "localhost" }.Uri, "the link that crawldata printed");
        await AssertRefusedAsync(page, new UriBuilder(server.Link) { Host = "other.test" }.Uri, "does not answer for the host");
    }

    [Test]
    public async Task A_token_is_typed()
    {
        await using var server = await StartAsync(new DashboardServerOptions { Token = Token });
        await BrowseAsync(
            async page =>
            {
                await page.GotoAsync("./");
                await AssertSeemlyAsync(page);
                await page.GetByLabel("Token").FillAsync("another token");
                await Button(page, "Sign in").ClickAsync();
                await Expect(page.GetByLabel("Token")).ToBeFocusedAsync();
                await page.GetByLabel("Token").FillAsync(Token);
                await page.Keyboard.PressAsync("Enter");
                await Expect(page.Locator("h1")).ToHaveTextAsync("Overview");
            },
            root: server.Link);
    }

    private Task<DashboardServer> StartAsync(DashboardServerOptions options) => DashboardServer.StartAsync(
        DataSource, options with { Configure = dashboard => dashboard.StatementTimeout = TimeSpan.FromMinutes(1) }, default);

    private static async Task AssertRefusedAsync(IPage page, Uri address, string reason)
    {
        var response = await page.GotoAsync(address.AbsoluteUri);

        Assert.That(response!.Status, Is.EqualTo(403), address.AbsoluteUri);
        Assert.That(await response.TextAsync(), Does.Contain(reason));
    }
}

using CrawlData.Dashboard.Tests;
using Microsoft.Playwright;

namespace CrawlData.Browser.Tests;

/// <summary>A fixture with a dashboard of the <see cref="Showcase"/>, which a browser looks at.</summary>
public abstract class BrowserTest : DashboardTest
{
    /// <summary>A wide window, and one of a phone.</summary>
    protected static readonly int[] Widths = [1280, 360];

    protected static readonly ColorScheme[] Schemes = [ColorScheme.Light, ColorScheme.Dark];

    private protected Uri Root => Host.Client.BaseAddress!;

    [OneTimeSetUp]
    public Task FillAsync() => Showcase.InsertAsync(DataSource);

    /// <summary>Calls a visit with a page of a browser that has no history. It fails when the browser has anything to complain of: see
    /// <see cref="Complaints"/>.</summary>
    /// <param name="visit">The visit. Addresses are relative to the dashboard.</param>
    /// <param name="options">Options of the browser.</param>
    /// <param name="root">The address of the dashboard; that of <see cref="DashboardTest.Host"/> when null.</param>
    private protected async Task BrowseAsync(Func<IPage, Task> visit, BrowserNewContextOptions? options = null, Uri? root = null)
    {
        root ??= Root;
        options ??= new BrowserNewContextOptions();
        options.BaseURL = root.AbsoluteUri;
        options.ViewportSize ??= new ViewportSize { Width = Widths[0], Height = 800 };
        await using var context = await BrowserSetUp.Browser.NewContextAsync(options);
        context.SetDefaultTimeout(BrowserSetUp.LongestMilliseconds);
        var complaints = new Complaints(context, root);
        await visit(await context.NewPageAsync());
        complaints.AssertNone();
    }

    private protected static BrowserNewContextOptions Window(int width, ColorScheme scheme = ColorScheme.Light) =>
        new() { ViewportSize = new ViewportSize { Width = width, Height = 800 }, ColorScheme = scheme };

    /// <summary>Opens a page of the <see cref="Showcase"/> by its name.</summary>
    private protected static async Task OpenAsync(IPage page, string name)
    {
        var (address, status) = Showcase.Pages[name];
        var response = await page.GotoAsync(address.Length == 0 ? "./" : address);
        Assert.That(response!.Status, Is.EqualTo(status), address);
    }

    private protected static ILocator Link(IPage page, string name) =>
        page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = name, Exact = true });

    private protected static ILocator Button(IPage page, string name) =>
        page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = name, Exact = true });

    private protected static ILocator Rows(IPage page) => page.Locator("tbody tr");
}

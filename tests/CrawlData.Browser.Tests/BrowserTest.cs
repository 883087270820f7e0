using System.Text;
using CrawlData.Cli.Serving;
using CrawlData.Dashboard.Tests;
using CrawlData.Dashboard.Tests.Actions;
using CrawlData.Dashboard.Tests.Security;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace CrawlData.Browser.Tests;

/// <summary>A fixture with a dashboard of the <see cref="Showcase"/>, which a browser looks at.</summary>
public abstract class BrowserTest : DashboardTest
{
    /// <summary>A wide window, and one of a phone.</summary>
    protected static readonly int[] Widths = [1280, 360];

    protected static readonly ColorScheme[] Schemes = [ColorScheme.Light, ColorScheme.Dark];

    private readonly Lazy<Task<DashboardHost>> operators;

    protected BrowserTest() => operators = new Lazy<Task<DashboardHost>>(() => StartOperatorsAsync());

    private protected Uri Root => Host.Client.BaseAddress!;

    private protected ActionLog ActionLog { get; } = new();

    [OneTimeSetUp]
    public Task FillAsync() => Showcase.InsertAsync(DataSource);

    [OneTimeTearDown]
    public async Task StopOperatorsAsync()
    {
        if (operators.IsValueCreated)
        {
            await (await operators.Value).DisposeAsync();
        }
    }

    /// <summary>Starts a dashboard with actions, pictures of artifacts, steps and screens. The tests' browser is an operator's.</summary>
    private protected Task<DashboardHost> StartOperatorsAsync(Action<IServiceCollection>? services = null, Action<WebApplication>? before = null) =>
        OperatorHost.StartAsync(
            DataSource,
            ActionLog,
            options =>
            {
                options.Actions("operators");
                (options.StepEventTypes, options.ScreenEventTypes) = (["step"], ["screen"]);
                options.Artifacts = (uri, _) => Task.FromResult<Stream?>(
                    uri.EndsWith(".png", StringComparison.Ordinal) || uri.EndsWith("screenshot", StringComparison.Ordinal)
                        ? new MemoryStream(DemoPictures.Draw(uri.Split('/')[^2]))
                        : new MemoryStream(Encoding.UTF8.GetBytes(uri)));
            },
            services: services,
            before: before);

    /// <summary>Gets the address of the operators' dashboard that the tests of a fixture share.</summary>
    private protected async Task<Uri> OperatorsAsync() => (await operators.Value).Client.BaseAddress!;

    /// <summary>Opens a page of the <see cref="Showcase"/> by its name, and calls a visit with it.</summary>
    private protected async Task BrowseAsync(string name, Func<IPage, Task> visit) => await BrowseAsync(
        async page =>
        {
            await OpenAsync(page, name);
            await visit(page);
        },
        root: Showcase.Pages[name].IsForOperators ? await OperatorsAsync() : null);

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
        options.ExtraHTTPHeaders = [new(TestAuthentication.Header, "operator")];
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
        var shown = Showcase.Pages[name];
        var response = await page.GotoAsync(shown.Address.Length == 0 ? "./" : shown.Address);
        Assert.That(response!.Status, Is.EqualTo(shown.Status), shown.Address);
    }

    /// <summary>Looks at a page with everything unfolded, in a wide window and in one of a phone, light and dark: it violates no rule of axe, and a phone does
    /// not scroll it sideways.</summary>
    private protected static async Task AssertSeemlyAsync(IPage page)
    {
        await page.EvaluateAsync("() => document.querySelectorAll('details').forEach(details => details.open = true)");
        foreach (var width in Widths)
        {
            await page.SetViewportSizeAsync(width, 800);
            foreach (var scheme in Schemes)
            {
                await page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = scheme });
                var result = await page.RunAxe(new AxeRunOptions { ResultTypes = [ResultType.Violations], Iframes = false });

                Assert.That(result.Passes, Has.Length.GreaterThan(10), "axe has looked");
                Assert.That(
                    string.Join('\n', result.Violations.Select(violation => $"{violation.Help}: {violation.Nodes[0].Html}")), Is.Empty,
                    $"{page.Url}, {width}, {scheme}");
            }
        }

        var wide = await page.EvaluateAsync<string[]>(
            """
            () => [...document.querySelectorAll("html, body, body *")]
                .filter(element => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible"
                    && !element.matches("input, select, .unseen, thead"))
                .concat(document.documentElement.scrollWidth > innerWidth ? [document.documentElement] : [])
                .map(element => `${element.localName}.${element.className}: ${element.scrollWidth}`)
            """);
        Assert.That(string.Join('\n', wide), Is.Empty, page.Url);
    }

    private protected static ILocator Link(IPage page, string name) =>
        page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = name, Exact = true });

    private protected static ILocator Button(IPage page, string name) =>
        page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = name, Exact = true });

    private protected static ILocator Rows(IPage page) => page.Locator("tbody tr");
}

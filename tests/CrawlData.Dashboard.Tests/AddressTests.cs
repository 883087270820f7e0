using System.Net;
using CrawlData.Crawls;
using Microsoft.AspNetCore.Builder;

namespace CrawlData.Dashboard.Tests;

/// <summary>The dashboard needs no setting of its address: wherever it is, all of its links lead to it.</summary>
public sealed class AddressTests : DashboardTest
{
    private Guid runId;

    [OneTimeSetUp]
    public async Task InsertAsync()
    {
        runId = (await InsertRunAsync(CrawlStatus.Running, goal: "look")).Id;
        await Events.AppendAsync(runId, EventsOf(3));
        await InsertRunWithAsync("org.example/a&b?c#d %2F", """{"a": 1}""");
        await InsertSessionWithAsync("https://example.org/?a=b#c", """{"a": 1}""");
    }

    [TestCase("/", "/", null)]
    [TestCase("/crawls", "/crawls/", null)]
    [TestCase("/ops/a b/crawls", "/ops/a%20b/crawls/", null)]
    [TestCase("/crawls", "/base/crawls/", "/base")]
    [TestCase("/", "/base/", "/base")]
    public async Task Every_link_leads_to_a_page(string pattern, string first, string? pathBase)
    {
        await using var host = await DashboardHost.StartAsync(DataSource, map: application =>
        {
            if (pathBase is not null)
            {
                application.UsePathBase(pathBase);
                application.UseRouting();
            }

            application.MapCrawlDataDashboard(pattern);
        });

        await WalkAsync(host, first);
    }

    [Test]
    public async Task Every_link_leads_to_a_page_in_a_group()
    {
        await using var host = await DashboardHost.StartAsync(
            DataSource, map: application => application.MapGroup("/tenants/{tenant}").MapCrawlDataDashboard("crawls"));

        await WalkAsync(host, "/tenants/eu/crawls/");
    }

    /// <summary>As <c>location /ops/ { proxy_pass http://application/crawls/; }</c> of nginx does.</summary>
    [Test]
    public async Task Every_link_leads_to_a_page_behind_a_proxy_that_has_another_prefix()
    {
        await using var host = await DashboardHost.StartAsync(DataSource, map: application =>
        {
            application.Use((context, next) =>
            {
                context.Request.Path = context.Request.Path.StartsWithSegments("/ops", out var rest) ? "/crawls" + rest : "/elsewhere";
                return next(context);
            });
            application.UseRouting();
            application.MapCrawlDataDashboard("/crawls");
        });

        await WalkAsync(host, "/ops/");
    }

    [TestCase("/crawls?a=%26", "crawls/?a=%26")]
    [TestCase("/crawls/runs/?status=FAILED", "../runs?status=FAILED")]
    [TestCase("/crawls/status/", "../status")]
    public async Task An_address_with_a_wrong_slash_leads_to_the_right_one(string address, string location)
    {
        using var response = await Host.Client.GetAsync(new Uri(address, UriKind.Relative));

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Found));
        Assert.That(response.Headers.Location!.OriginalString, Is.EqualTo(location));
    }

    [TestCase("runs/not-an-id")]
    [TestCase("runs/{run}/events/not-a-number")]
    [TestCase("sessions/1")]
    public async Task A_path_without_a_screen_is_not_found(string address)
    {
        using var response = await Host.Client.GetAsync(new Uri(address.Replace("{run}", $"{runId}", StringComparison.Ordinal), UriKind.Relative));

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [TestCase("runs/{none}")]
    [TestCase("runs/{none}?tab=stats")]
    [TestCase("runs/{none}/events/1")]
    [TestCase("runs/{run}/events/9223372036854775807")]
    [TestCase("runs/{run}/events/-9223372036854775808")]
    [TestCase("sessions/{none}")]
    public async Task An_unknown_row_is_not_found(string address)
    {
        address = address.Replace("{none}", $"{Guid.NewGuid()}", StringComparison.Ordinal).Replace("{run}", $"{runId}", StringComparison.Ordinal);

        var page = await Host.GetPageAsync(address, HttpStatusCode.NotFound);
        Assert.That(page.QuerySelector("h1")!.TextContent, Is.EqualTo("Not found"));
        Assert.That(await Host.GetTextAsync($"api/v1/{address}", HttpStatusCode.NotFound), Does.StartWith("""{"status":404,"""));
    }

    private static async Task WalkAsync(DashboardHost host, string first)
    {
        var address = new Uri(host.Client.BaseAddress!, first);
        var seen = await LinkWalk.RunAsync(host.Client, address);

        foreach (var part in new[]
        {
            "", "runs", "sessions", "artifacts", "artifacts/expired", "api/v1/artifacts/expired", "status",
            "compare", "api/v1/compare", "api/v1/overview", "api/v1/runs", "api/v1/status",
        })
        {
            Assert.That(seen, Does.Contain(part));
        }

        Assert.That(seen, Has.Some.Match(@"^runs/[^/]+$").And.Some.Match(@"^runs/[^/]+/events/\d+$").And.Some.Match(@"^sessions/[^/]+$"));
        Assert.That(seen, Has.Some.Match(@"^api/v1/runs/[^/]+/events/\d+$").And.Some.Match(@"^assets/.*\.css$"));
    }
}

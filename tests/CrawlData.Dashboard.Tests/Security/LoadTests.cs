using System.Net;
using CrawlData.Crawls;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace CrawlData.Dashboard.Tests.Security;

/// <summary>A dashboard must not take the database from the crawlers.</summary>
public sealed class LoadTests : DashboardTest
{
    [Test]
    public async Task It_holds_no_more_connections_than_it_may()
    {
        await InsertRunAsync(CrawlStatus.Completed, goal: "look");
        using var entered = new SemaphoreSlim(0);
        using var leave = new ManualResetEventSlim();
        var held = 0;
        await using var host = await DashboardHost.StartAsync(DataSource, options =>
        {
            options.MaxConnections = 2;
            options.StatementTimeout = TimeSpan.FromSeconds(1);
            options.RedactText = (_, text) =>
            {
                // The first two requests stay in their transactions.
                if (Interlocked.Increment(ref held) <= 2)
                {
                    entered.Release();
                    leave.Wait();
                }

                return text;
            };
        });
        var first = Task.Run(() => host.GetPageAsync("runs"));
        var second = Task.Run(() => host.GetPageAsync("runs"));
        await entered.WaitAsync();
        await entered.WaitAsync();

        var refused = await host.GetPageAsync("runs", HttpStatusCode.ServiceUnavailable);
        var refusedTwin = await host.GetTextAsync("api/v1/runs", HttpStatusCode.ServiceUnavailable);

        Assert.That(refused.QuerySelector("h1")!.TextContent, Is.EqualTo("The dashboard is busy"));
        Assert.That(refusedTwin, Does.Contain("\"status\":503"));
        leave.Set();
        await Task.WhenAll(first, second);
        await host.GetPageAsync("runs");
    }

    [Test]
    public async Task A_page_has_500_rows_at_most([Values("runs", "sessions")] string list)
    {
        await Host.GetPageAsync($"{list}?size=500");
        foreach (var size in new[] { "501", "0", "-1", "many", "99999999999" })
        {
            var page = await Host.GetPageAsync($"{list}?size={size}", HttpStatusCode.BadRequest);
            Assert.That(page.QuerySelector("main p")!.TextContent, Is.EqualTo("size must be a number from 1 to 500."));
        }
    }

    [Test]
    public async Task The_overview_is_read_once_for_all_who_look_at_the_same_time()
    {
        var reads = 0;
        await InsertSessionAsync("https://failed.example/", Audits.AuditSessionStatus.Failed, "reason of the failure");

        // What was read lasts for some seconds. The clock stands still, so that it lasts until the last request.
        await using var host = await DashboardHost.StartAsync(
            DataSource,
            options => options.RedactText = (_, text) =>
            {
                Interlocked.Add(ref reads, text == "reason of the failure" ? 1 : 0);
                return text;
            },
            services: services => services.AddSingleton<TimeProvider>(new FakeTimeProvider()));

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => host.GetPageAsync("")));

        Assert.That(reads, Is.EqualTo(1));
    }
}

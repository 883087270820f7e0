using System.Net;
using System.Text.Json;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Dashboard.Tests.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace CrawlData.Dashboard.Tests.Actions;

/// <summary>What operators change. Viewers may see the dashboard, and operators may act too.</summary>
public sealed class ActionTests : DashboardTest
{
    private readonly ActionLog logged = new();
    private DashboardHost host = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => host = await StartAsync(options => options.Actions("operators"));

    [OneTimeTearDown]
    public async Task StopAsync() => await host.DisposeAsync();

    [TestCase("cancel", CrawlStatus.Running, CrawlStatus.Cancelled)]
    [TestCase("cancel", CrawlStatus.Pending, CrawlStatus.Cancelled)]
    [TestCase("fail", CrawlStatus.Running, CrawlStatus.Failed)]
    public async Task An_operator_ends_a_run_by_a_link_and_a_form(string action, CrawlStatus before, CrawlStatus after)
    {
        var run = await InsertRunAsync(before);

        var page = await PageAsync($"runs/{run.Id}");
        var link = page.QuerySelectorAll(".actions a").Single(link => link.GetAttribute("href")!.EndsWith($"/{action}", StringComparison.Ordinal));
        var address = $"runs/{link.GetAttribute("href")}";
        var form = (await PageAsync(address)).QuerySelector("form[method=post]")!;
        using var response = await PostAsync(address, ("error", "the device is gone"));
        var changed = (await Runs.GetAsync(run.Id))!;

        Assert.That(form.GetAttribute("action"), Is.Null);
        Assert.That(form.QuerySelectorAll("textarea[name=error][required]"), Has.Length.EqualTo(action == "fail" ? 1 : 0));
        Assert.That((response.StatusCode, response.Headers.Location!.OriginalString), Is.EqualTo((HttpStatusCode.SeeOther, $"../{run.Id}")));
        Assert.That((changed.Status, changed.ErrorMessage), Is.EqualTo((after, action == "fail" ? "the device is gone" : null)));
        Assert.That(logged.Messages, Does.Contain($"operator: {action} of runs {run.Id} is done."));
        Assert.That(logged.Messages, Has.None.Contains("the device is gone"));
    }

    [Test]
    public async Task An_operator_retries_a_run_and_comes_to_the_retry()
    {
        var run = await InsertRunAsync(CrawlStatus.Failed);

        using var response = await PostAsync($"runs/{run.Id}/retry");

        var retry = Guid.Parse(response.Headers.Location!.OriginalString["../".Length..]);
        Assert.That((await Runs.GetAsync(retry))!.Status, Is.EqualTo(CrawlStatus.Pending));
        Assert.That(retry, Is.Not.EqualTo(run.Id));
    }

    [TestCase("requeue", AuditSessionStatus.Failed, AuditSessionStatus.Queued)]
    [TestCase("fail", AuditSessionStatus.Running, AuditSessionStatus.Failed)]
    [TestCase("release", AuditSessionStatus.Running, AuditSessionStatus.Queued)]
    public async Task An_operator_changes_a_session(string action, AuditSessionStatus before, AuditSessionStatus after)
    {
        var session = await InsertSessionAsync("https://example.org/", before);

        var form = (await PageAsync($"sessions/{session.Id}/{action}")).QuerySelector("form[method=post]")!;
        var attempt = form.QuerySelector("input[name=attempt]")!.GetAttribute("value")!;
        using var response = await PostAsync($"sessions/{session.Id}/{action}", ("attempt", attempt), ("error", "the site blocks us"));

        Assert.That((response.StatusCode, response.Headers.Location!.OriginalString), Is.EqualTo((HttpStatusCode.SeeOther, $"../{session.Id}")));
        Assert.That((await Sessions.GetAsync(session.Id))!.Status, Is.EqualTo(after));
    }

    [Test]
    public async Task The_API_acts_too_and_returns_the_row()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);

        using var response = await PostAsync($"api/v1/runs/{run.Id}/fail", ("error", "the device is gone"));
        using var row = JsonDocument.Parse(await response.Content.ReadAsStringAsync());

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(row.RootElement.GetProperty("status").GetString(), Is.EqualTo("FAILED"));
    }

    [Test]
    public async Task A_status_that_does_not_allow_it_is_said_before_and_after()
    {
        var run = await InsertRunAsync(CrawlStatus.Completed);
        var session = await InsertSessionAsync("https://example.org/", AuditSessionStatus.Running);

        var asked = await PageAsync($"runs/{run.Id}/cancel");
        using var ended = await PostAsync($"runs/{run.Id}/cancel");
        using var otherAttempt = await PostAsync($"sessions/{session.Id}/fail", ("attempt", "7"), ("error", "text"));
        using var missing = await PostAsync($"runs/{Guid.NewGuid()}/cancel");
        using var noReason = await PostAsync($"runs/{run.Id}/fail", ("error", " "));
        using var badReason = await PostAsync($"runs/{run.Id}/fail", ("error", "a\0b"));
        using var noForm = await SendAsync(new HttpRequestMessage(HttpMethod.Post, $"runs/{run.Id}/fail")
        {
            Content = new StringContent("{}"),
            Headers = { { "Sec-Fetch-Site", "same-origin" } },
        });

        Assert.That(asked.QuerySelector("form[method=post]"), Is.Null);
        Assert.That(asked.QuerySelector(".warning-box")!.TextContent, Does.Contain("pending or running"));
        Assert.That(ended.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(await ended.Content.ReadAsStringAsync(), Does.Contain("COMPLETED"));
        Assert.That(otherAttempt.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(missing.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        foreach (var bad in new[] { noReason, badReason, noForm })
        {
            Assert.That(bad.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
            Assert.That(await bad.Content.ReadAsStringAsync(), Does.Contain("The form has a wrong field"));
        }

        Assert.That((await PageAsync($"runs/{run.Id}")).QuerySelector(".actions"), Is.Null);
        Assert.That(logged.Messages, Does.Contain($"operator: cancel of runs {run.Id} is refused by its state."));
    }

    [Test]
    public async Task A_viewer_is_offered_nothing_and_refused()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        foreach (var (path, method) in ActionsOf(run.Id))
        {
            using var request = new HttpRequestMessage(method, path);
            request.Headers.Add(TestAuthentication.Header, "viewer");
            request.Headers.Add("Sec-Fetch-Site", "same-origin");
            using var response = await host.Client.SendAsync(request);
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden), $"{method} {path}");
        }

        Assert.That((await PageAsync($"runs/{run.Id}", "viewer")).QuerySelector(".actions"), Is.Null);
        Assert.That((await Runs.GetAsync(run.Id))!.Status, Is.EqualTo(CrawlStatus.Running));
    }

    [Test]
    public async Task AllowAnonymous_opens_the_pages_and_not_the_actions()
    {
        await using var open = await StartAsync(options => options.Actions("operators"), dashboard => dashboard.AllowAnonymous());
        var run = await InsertRunAsync(CrawlStatus.Running);
        foreach (var (path, method) in ActionsOf(run.Id))
        {
            using var request = new HttpRequestMessage(method, path);
            request.Headers.Add("Sec-Fetch-Site", "same-origin");
            using var response = await open.Client.SendAsync(request);
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden), $"{method} {path}");
        }

        await open.GetPageAsync($"runs/{run.Id}");
        Assert.That((await Runs.GetAsync(run.Id))!.Status, Is.EqualTo(CrawlStatus.Running));
    }

    [TestCase(null, null, false)]
    [TestCase("cross-site", null, false)]
    [TestCase("same-site", null, false)]
    [TestCase("none", null, false)]
    [TestCase("cross-site", "{host}", false)]
    [TestCase(null, "http://evil.example", false)]
    [TestCase(null, "null", false)]
    [TestCase(null, "{host}.evil.example", false)]
    [TestCase(null, "{host}", true)]
    [TestCase("same-origin", "http://evil.example", true)]
    public async Task A_page_of_another_site_cannot_act(string? fetchSite, string? origin, bool acts)
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"runs/{run.Id}/cancel");
        request.Headers.Add(TestAuthentication.Header, "operator");
        if (fetchSite is not null)
        {
            request.Headers.Add("Sec-Fetch-Site", fetchSite);
        }

        if (origin is not null)
        {
            request.Headers.Add("Origin", origin.Replace("{host}", host.Client.BaseAddress!.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal));
        }

        using var response = await host.Client.SendAsync(request);

        Assert.That(response.StatusCode, Is.EqualTo(acts ? HttpStatusCode.SeeOther : HttpStatusCode.Forbidden));
        Assert.That((await Runs.GetAsync(run.Id))!.Status, Is.EqualTo(acts ? CrawlStatus.Cancelled : CrawlStatus.Running));
    }

    [Test]
    public async Task No_GET_writes()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        foreach (var (path, _) in ActionsOf(run.Id).Where(action => action.Method == HttpMethod.Get))
        {
            using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, path));
        }

        Assert.That((await Runs.GetAsync(run.Id))!.Status, Is.EqualTo(CrawlStatus.Running));
        Assert.That(
            host.Endpoints.Where(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Contains("POST"))
                .Select(endpoint => endpoint.RoutePattern.RawText!.Split('/')[^1]).Distinct(),
            Is.EquivalentTo(new[] { "cancel", "fail", "retry", "requeue", "release" }));
    }

    [Test]
    public async Task Without_a_policy_nothing_is_mapped_or_offered()
    {
        var run = await InsertRunAsync(CrawlStatus.Running);

        Assert.That((await Host.GetPageAsync($"runs/{run.Id}")).QuerySelector(".actions, form[method=post]"), Is.Null);
        await Host.GetTextAsync($"runs/{run.Id}/cancel", HttpStatusCode.NotFound);
        Assert.That(() => new CrawlDataDashboardOptions().Actions(" "), Throws.ArgumentException);
    }

    private IEnumerable<(string Path, HttpMethod Method)> ActionsOf(Guid id) =>
        from endpoint in host.Endpoints
        let path = endpoint.RoutePattern.RawText!["/crawls/".Length..]
        where path.Split('/')[^1] is "cancel" or "fail" or "retry" or "requeue" or "release"
        select (path.Replace("{id:guid}", $"{id}", StringComparison.Ordinal),
            endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Contains("POST") ? HttpMethod.Post : HttpMethod.Get);

    private async Task<AngleSharp.Html.Dom.IHtmlDocument> PageAsync(string address, string role = "operator")
    {
        using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, address), role);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), address);
        return new AngleSharp.Html.Parser.HtmlParser().ParseDocument(await response.Content.ReadAsStringAsync());
    }

    private Task<HttpResponseMessage> PostAsync(string address, params (string Name, string Value)[] fields)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, address)
        {
            Content = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))),
        };
        request.Headers.Add("Sec-Fetch-Site", "same-origin");
        return SendAsync(request);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string role = "operator")
    {
        using (request)
        {
            request.Headers.Add(TestAuthentication.Header, role);
            return await host.Client.SendAsync(request);
        }
    }

    private Task<DashboardHost> StartAsync(
        Action<CrawlDataDashboardOptions> configure, Action<IEndpointConventionBuilder>? authorize = null) =>
        OperatorHost.StartAsync(DataSource, logged, configure, authorize);
}

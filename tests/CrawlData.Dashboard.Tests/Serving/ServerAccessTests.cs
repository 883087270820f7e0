using System.Net;
using System.Net.Sockets;
using CrawlData.Cli.Serving;
using CrawlData.Tests;

namespace CrawlData.Dashboard.Tests.Serving;

/// <summary>Who sees what the tool serves.</summary>
public sealed class ServerAccessTests : DatabaseTest
{
    private const string Token = "a token of the tests";

    [Test]
    public async Task The_link_opens_the_dashboard_to_one_browser()
    {
        await using var server = await StartAsync();
        using var first = Browser(server);
        using var second = Browser(server);

        using var opened = await first.GetAsync(server.Link);
        var cookie = opened.Headers.GetValues("Set-Cookie").Single();
        first.DefaultRequestHeaders.Add("Cookie", cookie.Split(';')[0]);
        var late = await GetAsync(second, server.Link.Query);

        Assert.That((opened.StatusCode, opened.Headers.Location!.OriginalString), Is.EqualTo((HttpStatusCode.SeeOther, "./")));
        Assert.That(cookie.Split("; ").Skip(1), Is.EquivalentTo(new[] { "path=/", "samesite=strict", "httponly" }));
        Assert.That(cookie, Does.StartWith($"crawldata-{server.Link.Port}=").And.Not.Contain(server.Link.Query.Split('=')[1]));
        Assert.That(await GetAsync(first, ""), Is.EqualTo((HttpStatusCode.OK, "text/html")));
        Assert.That(await GetAsync(first, "api/v1/runs"), Is.EqualTo((HttpStatusCode.OK, "application/json")));
        Assert.That(await GetAsync(first, server.Link.Query), Is.EqualTo((HttpStatusCode.SeeOther, (string?)null)), "opened again there");
        Assert.That(late, Is.EqualTo((HttpStatusCode.Forbidden, "text/plain")), "opened a second time elsewhere");
    }

    [Test]
    public async Task Of_browsers_that_open_the_link_at_once_one_gets_the_dashboard()
    {
        await using var server = await StartAsync();
        using var browser = Browser(server);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => GetAsync(browser, server.Link.Query)));

        Assert.That(answers.Count(answer => answer.Status == HttpStatusCode.SeeOther), Is.EqualTo(1));
    }

    [Test]
    public async Task Without_the_link_each_address_is_refused_with_words()
    {
        await using var server = await StartAsync();
        using var browser = Browser(server);
        foreach (var address in new[] { "", "runs", "api/v1/runs", "assets/dashboard.css", "nothing", "?token=", "?token=a", "?token=a&token=b" })
        {
            using var response = await browser.GetAsync(new Uri(address, UriKind.Relative));

            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden), address);
            Assert.That(await response.Content.ReadAsStringAsync(), Does.Contain("the link that crawldata printed"), address);
            Assert.That(response.Headers.GetValues("Content-Security-Policy").Single(), Does.StartWith("default-src 'none'"), address);
            Assert.That(response.Headers.Contains("Set-Cookie"), Is.False, address);
        }

        foreach (var method in new[] { HttpMethod.Head, HttpMethod.Post })
        {
            using var request = new HttpRequestMessage(method, server.Link.Query);
            using var response = await browser.SendAsync(request);
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden), $"{method}");
        }

        Assert.That((await GetAsync(browser, server.Link.Query)).Status, Is.EqualTo(HttpStatusCode.SeeOther), "none of these has used the link");
    }

    [Test]
    public async Task A_new_server_has_a_new_link()
    {
        await using var one = await StartAsync();
        await using var other = await StartAsync();
        using var browser = Browser(other);

        Assert.That((await GetAsync(browser, one.Link.Query)).Status, Is.EqualTo(HttpStatusCode.Forbidden));
        Assert.That(one.Link.Query, Has.Length.GreaterThan(40));
    }

    [TestCase("localhost")]
    [TestCase("LOCALHOST:27295")]
    [TestCase("127.0.0.1")]
    [TestCase("[::1]:80")]
    [TestCase("crawls.example.org")]
    public async Task A_known_host_gets_the_dashboard(string host) => Assert.That(await StatusOfHostAsync(host), Is.EqualTo(HttpStatusCode.SeeOther));

    [TestCase("evil.example")]
    [TestCase("localhost.evil.example")]
    [TestCase("127.0.0.1.evil.example")]
    [TestCase("sub.crawls.example.org")]
    [TestCase("192.0.2.1")]
    [TestCase("0.0.0.0")]
    public async Task A_foreign_host_is_refused_and_does_not_use_the_link(string host) =>
        Assert.That(await StatusOfHostAsync(host), Is.EqualTo(HttpStatusCode.Forbidden));

    [Test]
    public async Task A_chosen_token_opens_the_dashboard_to_all_who_type_it_and_no_link_does()
    {
        await using var server = await StartAsync(new DashboardServerOptions { Token = Token });
        using var browser = Browser(server);
        foreach (var number in Enumerable.Range(1, 2))
        {
            using var form = new FormUrlEncodedContent([new("token", Token)]);
            using var opened = await browser.PostAsync(new Uri("", UriKind.Relative), form);
            using var request = new HttpRequestMessage(HttpMethod.Get, "runs");
            request.Headers.Add("Cookie", opened.Headers.GetValues("Set-Cookie").Single().Split(';')[0]);
            using var response = await browser.SendAsync(request);

            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), $"browser {number}");
        }

        using var program = new HttpRequestMessage(HttpMethod.Get, "api/v1/runs");
        program.Headers.Authorization = new("Bearer", Token);
        using var rows = await browser.SendAsync(program);
        using var wrong = new FormUrlEncodedContent([new("token", Token + "1")]);
        using var refused = await browser.PostAsync(new Uri("", UriKind.Relative), wrong);

        Assert.That(rows.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
        Assert.That(await refused.Content.ReadAsStringAsync(), Does.Contain("<form method=\"post\">"));
        Assert.That(server.Link.Query, Is.Empty);
        Assert.That((await GetAsync(browser, $"?token={Uri.EscapeDataString(Token)}")).Status, Is.EqualTo(HttpStatusCode.Forbidden), "addresses are logged");
    }

    [Test]
    public async Task A_port_in_use_is_named()
    {
        await using var server = await StartAsync();

        await Assert.ThatAsync(
            () => StartAsync(new DashboardServerOptions { Port = server.Link.Port }),
            Throws.InstanceOf<IOException>().With.Message.EqualTo($"port {server.Link.Port} is in use: name another with --port, or 0 for any."));
    }

    [Test]
    public async Task It_ends_while_a_request_is_open()
    {
        var server = await StartAsync(new DashboardServerOptions { Token = Token });
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", server.Link.Port);
        var stream = client.GetStream();

        // The first answer shows that the server reads the connection. The form's rest never comes.
        await stream.WriteAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
        await stream.ReadExactlyAsync(new byte[12]);
        await stream.WriteAsync(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ntoken"u8.ToArray());

        await Assert.ThatAsync(() => server.DisposeAsync().AsTask(), Throws.Nothing);
    }

    private async Task<HttpStatusCode> StatusOfHostAsync(string host)
    {
        await using var server = await StartAsync(new DashboardServerOptions { Hosts = ["crawls.example.org"] });
        using var browser = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false });
        using var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(server.Link) { Host = "127.0.0.1" }.Uri);
        request.Headers.Host = host;
        using var response = await browser.SendAsync(request);
        return response.StatusCode;
    }

    private Task<DashboardServer> StartAsync(DashboardServerOptions? options = null) =>
        DashboardServer.StartAsync(
            DataSource,
            (options ?? new DashboardServerOptions()) with { Configure = dashboard => dashboard.StatementTimeout = TimeSpan.FromMinutes(1) },
            default);

    private static HttpClient Browser(DashboardServer server) =>
        new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false }) { BaseAddress = new Uri(server.Link, "/") };

    private static async Task<(HttpStatusCode Status, string? Type)> GetAsync(HttpClient browser, string address)
    {
        using var response = await browser.GetAsync(new Uri(address, UriKind.Relative));
        return (response.StatusCode, response.Content.Headers.ContentType?.MediaType);
    }
}

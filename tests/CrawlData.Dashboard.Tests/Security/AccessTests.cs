using System.Net;
using CrawlData.Tests;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace CrawlData.Dashboard.Tests.Security;

/// <summary>Who gets an answer: whom the application lets, and else a developer at the same machine alone.</summary>
public sealed class AccessTests : DatabaseTest
{
    [Test]
    public async Task Without_authorization_production_refuses_each_address_and_names_the_line_to_write()
    {
        await using var host = await DashboardHost.StartAsync(DataSource, environment: "Production");
        var addresses = host.Endpoints.Select(endpoint => AddressOf(endpoint.RoutePattern.RawText!)).ToList();

        Assert.That(addresses, Has.Count.GreaterThan(16));
        foreach (var address in addresses)
        {
            Assert.That(
                await host.GetTextAsync(address, HttpStatusCode.Forbidden), Does.Contain("MapCrawlDataDashboard(\"/crawls\").RequireAuthorization("), address);
        }
    }

    [TestCase("localhost")]
    [TestCase("127.0.0.1")]
    [TestCase("[::1]")]
    [TestCase("LOCALHOST:5000")]
    public async Task In_Development_a_loopback_host_gets_an_answer(string host) =>
        Assert.That(await StatusAsync("Development", request => request.Headers.Host = host), Is.EqualTo(HttpStatusCode.OK));

    [TestCase("crawls.example.org")]
    [TestCase("localhost.example.org")]
    [TestCase("127.0.0.1.example.org")]
    [TestCase("192.168.0.7")]
    [TestCase("0.0.0.0")]
    public async Task In_Development_another_host_is_refused(string host) =>
        Assert.That(await StatusAsync("Development", request => request.Headers.Host = host), Is.EqualTo(HttpStatusCode.Forbidden));

    [TestCase("Forwarded", "for=203.0.113.7")]
    [TestCase("X-Forwarded-For", "203.0.113.7")]
    [TestCase("x-forwarded-host", "example.org")]
    [TestCase("X-Forwarded-Prefix", "/crawls")]
    [TestCase("X-Original-For", "203.0.113.7")]
    [TestCase("X-Real-IP", "203.0.113.7")]
    public async Task In_Development_a_request_through_a_proxy_is_refused(string header, string value) =>
        Assert.That(await StatusAsync("Development", request => request.Headers.Add(header, value)), Is.EqualTo(HttpStatusCode.Forbidden));

    [TestCase("203.0.113.7")]
    [TestCase("::ffff:203.0.113.7")]
    [TestCase(null)]
    public async Task In_Development_another_machine_is_refused(string? address) =>
        Assert.That(await StatusFromAsync(address), Is.EqualTo(HttpStatusCode.Forbidden));

    [TestCase("::1")]
    [TestCase("::ffff:127.0.0.2")]
    public async Task In_Development_each_loopback_address_gets_an_answer(string address) =>
        Assert.That(await StatusFromAsync(address), Is.EqualTo(HttpStatusCode.OK));

    [Test]
    public async Task The_application_s_policy_decides_in_each_environment([Values("Production", "Development")] string environment)
    {
        await using var host = await StartWithPolicyAsync(environment);
        foreach (var address in host.Endpoints.Select(endpoint => AddressOf(endpoint.RoutePattern.RawText!)))
        {
            Assert.That(await StatusAsync(host, address, null), Is.EqualTo(HttpStatusCode.Unauthorized), address);
            Assert.That(await StatusAsync(host, address, "guest"), Is.EqualTo(HttpStatusCode.Forbidden), address);
        }

        Assert.That(await StatusAsync(host, "", "operator"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await StatusAsync(host, "api/v1/runs", "operator"), Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task The_application_may_open_it_to_everybody()
    {
        await using var host = await DashboardHost.StartAsync(
            DataSource, environment: "Production", map: application => application.MapCrawlDataDashboard("/crawls").AllowAnonymous());

        Assert.That(await StatusAsync(host, "", null), Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public void Without_AddCrawlData_it_cannot_be_mapped()
    {
        using var application = WebApplication.CreateSlimBuilder().Build();

        Assert.That(
            () => application.MapCrawlDataDashboard("/crawls"), Throws.InvalidOperationException.With.Message.EqualTo("The dashboard needs AddCrawlData."));
        Assert.That(
            () => application.MapCrawlDataDashboard("/crawls", options => options.ServiceKey = "eu"),
            Throws.InvalidOperationException.With.Message.EqualTo("The dashboard needs AddKeyedCrawlData(\"eu\")."));
    }

    /// <summary>Returns an address of a route, relative to the dashboard.</summary>
    internal static string AddressOf(string pattern) => pattern["/crawls/".Length..]
        .Replace("{id:guid}", $"{Guid.NewGuid()}", StringComparison.Ordinal)
        .Replace("{event:long}", "1", StringComparison.Ordinal)
        .Replace("{name}", Assets.AssetCatalog.Style, StringComparison.Ordinal);

    private async Task<HttpStatusCode> StatusAsync(string environment, Action<HttpRequestMessage> change)
    {
        await using var host = await DashboardHost.StartAsync(DataSource, environment: environment);
        using var request = new HttpRequestMessage(HttpMethod.Get, "");
        change(request);
        using var response = await host.Client.SendAsync(request);
        return response.StatusCode;
    }

    private async Task<HttpStatusCode> StatusFromAsync(string? address)
    {
        await using var host = await DashboardHost.StartAsync(DataSource, map: application =>
        {
            application.Use((context, next) =>
            {
                context.Connection.RemoteIpAddress = address is null ? null : IPAddress.Parse(address);
                return next(context);
            });
            application.MapCrawlDataDashboard("/crawls");
        });
        return await StatusAsync(host, "", null);
    }

    private static async Task<HttpStatusCode> StatusAsync(DashboardHost host, string address, string? role)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (role is not null)
        {
            request.Headers.Add(TestAuthentication.Header, role);
        }

        using var response = await host.Client.SendAsync(request);
        return response.StatusCode;
    }

    private Task<DashboardHost> StartWithPolicyAsync(string environment) => DashboardHost.StartAsync(
        DataSource,
        environment: environment,
        services: services =>
        {
            services.AddAuthentication(TestAuthentication.Name).AddScheme<AuthenticationSchemeOptions, TestAuthentication>(TestAuthentication.Name, null);
            services.AddAuthorization(options => options.AddPolicy("operators", policy => policy.RequireRole("operator")));
        },
        map: application =>
        {
            application.UseAuthentication();
            application.UseAuthorization();
            application.MapCrawlDataDashboard("/crawls").RequireAuthorization("operators");
        });
}

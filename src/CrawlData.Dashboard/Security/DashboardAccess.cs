using System.Net;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CrawlData.Dashboard.Security;

/// <summary>Decides whether a request may see the dashboard. Authorization is ASP.NET's. Without any on the endpoint, the dashboard answers a developer's own
/// browser only.</summary>
internal static class DashboardAccess
{
    /// <summary>What a refused request gets: the line that the application's developer has to write.</summary>
    public const string Refusal =
        """
        This dashboard has no authorization, so it answers in Development only, and only to a browser on the same machine that comes through no proxy.
        Say who may see it where the application maps it:

            app.MapCrawlDataDashboard("/crawls").RequireAuthorization("operators");

        """;

    // Proxies add them, and ASP.NET's middleware for forwarded headers keeps X-Original-*.
    private static readonly string[] ForwardingPrefixes = ["Forwarded", "X-Forwarded-", "X-Original-", "X-Real-IP"];

    /// <summary>Returns whether the endpoint has authorization, or the request is a developer's own.</summary>
    /// <remarks>ASP.NET's routing runs no endpoint with <see cref="IAuthorizeData"/> without the authorization middleware.</remarks>
    public static bool IsAllowed(HttpContext context) =>
        context.GetEndpoint()?.Metadata is { } metadata
            && (metadata.GetMetadata<IAuthorizeData>() is not null || metadata.GetMetadata<IAllowAnonymous>() is not null)
        || IsDevelopersOwn(context);

    // The Host counts too: a name of another site may lead here, by DNS rebinding.
    private static bool IsDevelopersOwn(HttpContext context) =>
        context.RequestServices.GetRequiredService<IHostEnvironment>().IsDevelopment()
            && IsLoopback(context.Connection.RemoteIpAddress)
            && IsLoopback(context.Request.Host.Host)
            && !context.Request.Headers.Keys.Any(
                name => ForwardingPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)));

    private static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host, out var address) && IsLoopback(address));

    private static bool IsLoopback(IPAddress? address) =>
        address is not null && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);
}

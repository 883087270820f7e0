using CrawlData.Dashboard;
using Microsoft.AspNetCore.Routing;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps CrawlData's dashboard in an application.</summary>
public static class CrawlDataDashboardEndpointRouteBuilderExtensions
{
    /// <summary>Maps the dashboard: pages that show crawls and audits, and the same as JSON below <c>api/v1/</c>. Call it after <c>AddCrawlData</c>.</summary>
    /// <remarks>
    /// <para><b>Access.</b> Authorization is ASP.NET's: <c>RequireAuthorization</c> on the result. Without it, and without <c>AllowAnonymous</c>, the dashboard
    /// answers in the environment Development only, and only to a request from a loopback address, for a loopback host, without a header of a proxy. Others
    /// get 403.</para>
    /// <para><b>Reads.</b> Nothing here writes, unless <see cref="CrawlDataDashboardOptions.Actions"/> maps actions. Each request reads in a transaction that is read-only, so a role with SELECT on the tables is enough. Outside
    /// one are the reads of the state of the database.</para>
    /// <para><b>Addresses.</b> All links are relative to their document. So they hold in a group, with <c>UsePathBase</c>, and behind a proxy.</para>
    /// </remarks>
    /// <param name="endpoints">The application's endpoints.</param>
    /// <param name="pattern">The route of the first page, such as <c>/crawls</c>.</param>
    /// <param name="configure">Sets options; may be null.</param>
    /// <returns>The endpoints of the dashboard, for further conventions.</returns>
    /// <exception cref="InvalidOperationException"><c>AddCrawlData</c>, or <c>AddKeyedCrawlData</c> with the options' key, was not called.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <example>
    /// <code>
    /// app.MapCrawlDataDashboard("/crawls").RequireAuthorization("operators");
    /// </code>
    /// </example>
    public static IEndpointConventionBuilder MapCrawlDataDashboard(
        this IEndpointRouteBuilder endpoints, string pattern, Action<CrawlDataDashboardOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(pattern);
        var options = new CrawlDataDashboardOptions();
        configure?.Invoke(options);
        var group = endpoints.MapGroup(pattern);
        new CrawlData.Dashboard.Dashboard(endpoints.ServiceProvider, options).Map(group);
        return group;
    }
}

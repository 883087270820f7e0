using CrawlData.Dashboard.Tests.Security;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Actions;

/// <summary>A dashboard in production that viewers may see, with the policy "operators" for those who may act too.</summary>
internal static class OperatorHost
{
    /// <param name="dataSource">The database.</param>
    /// <param name="log">Gets what is logged.</param>
    /// <param name="configure">Sets options of the dashboard.</param>
    /// <param name="authorize">Sets who may see the dashboard; viewers when null.</param>
    /// <param name="services">Adds services.</param>
    /// <param name="before">Adds middleware before the dashboard.</param>
    public static Task<DashboardHost> StartAsync(
        NpgsqlDataSource dataSource,
        ILoggerProvider log,
        Action<CrawlDataDashboardOptions> configure,
        Action<IEndpointConventionBuilder>? authorize = null,
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? before = null) => DashboardHost.StartAsync(
        dataSource,
        environment: "Production",
        services: added =>
        {
            added.AddSingleton(log);
            added.AddAuthentication(TestAuthentication.Name).AddScheme<AuthenticationSchemeOptions, TestAuthentication>(TestAuthentication.Name, null);
            added.AddAuthorization(options =>
            {
                options.AddPolicy("viewers", policy => policy.RequireRole("viewer", "operator"));
                options.AddPolicy("operators", policy => policy.RequireRole("operator"));
            });
            services?.Invoke(added);
        },
        map: application =>
        {
            before?.Invoke(application);
            application.UseAuthentication();
            application.UseAuthorization();
            var dashboard = application.MapCrawlDataDashboard("/crawls", options =>
            {
                options.StatementTimeout = TimeSpan.FromMinutes(1);
                configure(options);
            });
            (authorize ?? (endpoints => endpoints.RequireAuthorization("viewers")))(dashboard);
        });
}

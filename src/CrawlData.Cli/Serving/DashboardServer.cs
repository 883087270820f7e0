using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Cli.Serving;

/// <summary>A server of this process that shows the dashboard of one database. It reads no settings of ASP.NET: no files, and no variables.</summary>
internal sealed class DashboardServer : IAsyncDisposable
{
    // Forms are small.
    private const int MaxRequestBytes = 256 * 1024;

    // Whoever has shown the token.
    private const string Policy = "token";

    private readonly WebApplication application;

    private DashboardServer(WebApplication application, Uri link, Task opened)
    {
        this.application = application;
        (Link, Opened) = (link, opened);
    }

    /// <summary>Gets the address of the first page. It holds the token that works once, when there is one.</summary>
    public Uri Link { get; }

    /// <summary>Gets what completes when the first browser has shown the token.</summary>
    public Task Opened { get; }

    /// <summary>Starts a server.</summary>
    /// <exception cref="IOException">The port is in use, or the address is not one of this machine.</exception>
    public static async Task<DashboardServer> StartAsync(
        NpgsqlDataSource dataSource, DashboardServerOptions options, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "crawldata", EnvironmentName = Environments.Production });
        builder.Logging.AddProvider(new ServerLog());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxRequestBytes;
            kestrel.Listen(options.Address, options.Port);
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        builder.Services.AddSingleton<IHostLifetime, ServerLifetime>();
        builder.Services.AddRoutingCore();
        builder.Services.AddAuthorization(authorization => authorization.AddPolicy(Policy, policy => policy.RequireAuthenticatedUser()));
        builder.Services.AddSingleton(dataSource);
        builder.Services.AddCrawlData(library => library.MigrateAtStartup = false);
        var application = builder.Build();
        var access = new ServerAccess(options);
        application.UseRouting();
        application.Use(access.InvokeAsync);
        application.UseAuthorization();
        application.MapCrawlDataDashboard("/", dashboard =>
        {
            options.Configure?.Invoke(dashboard);
            if (options.AllowActions)
            {
                dashboard.Actions(Policy);
            }
        }).RequireAuthorization(Policy);
        try
        {
            await application.StartAsync(cancellationToken);
        }
        catch (Exception exception)
        {
            await application.DisposeAsync();
            if (exception.InnerException is AddressInUseException)
            {
                throw new IOException($"port {options.Port} is in use: name another with --port, or 0 for any.", exception);
            }

            throw;
        }

        var port = new Uri(application.Urls.Single()).Port;
        var isAny = options.Address.Equals(IPAddress.Any) || options.Address.Equals(IPAddress.IPv6Any);
        var host = options.Hosts.FirstOrDefault() ?? (isAny ? "localhost" : $"{options.Address}");
        var query = access.OneTimeToken is { } token ? $"?{ServerAccess.TokenName}={token}" : "";
        return new DashboardServer(application, new UriBuilder("http", host, port, "/", query).Uri, access.Opened);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await application.StopAsync();
        }
        catch (OperationCanceledException)
        {
            // A request was open for longer than the host waits, and is aborted. The writer's flush, for which no time was left, has nothing to store.
        }

        await application.DisposeAsync();
    }
}

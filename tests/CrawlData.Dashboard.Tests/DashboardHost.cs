using System.Net;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Dashboard.Tests;

/// <summary>An application with a dashboard, on a port of this machine.</summary>
internal sealed class DashboardHost : IAsyncDisposable
{
    private static readonly HtmlParser Parser = new();

    private readonly WebApplication application;

    private DashboardHost(WebApplication application)
    {
        this.application = application;
        Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false })
        {
            BaseAddress = new Uri($"{application.Urls.Single()}/crawls/"),
        };
    }

    /// <summary>Its addresses are relative to the dashboard at <c>/crawls/</c>.</summary>
    public HttpClient Client { get; }

    /// <summary>Gets the routes that are mapped.</summary>
    public IEnumerable<RouteEndpoint> Endpoints =>
        application.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>();

    /// <summary>Starts an application.</summary>
    /// <param name="dataSource">The database.</param>
    /// <param name="configure">Sets options of the dashboard.</param>
    /// <param name="environment">The environment of the host.</param>
    /// <param name="services">Adds services.</param>
    /// <param name="map">Maps the dashboard and the middleware before it; at <c>/crawls</c> when null.</param>
    public static async Task<DashboardHost> StartAsync(
        NpgsqlDataSource dataSource,
        Action<CrawlDataDashboardOptions>? configure = null,
        string environment = "Development",
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? map = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = environment });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(dataSource);
        builder.Services.AddCrawlData(options => options.MigrateAtStartup = false);
        services?.Invoke(builder.Services);
        var application = builder.Build();
        application.Urls.Add("http://127.0.0.1:0");
        if (map is null)
        {
            application.MapCrawlDataDashboard("/crawls", configure);
        }
        else
        {
            map(application);
        }

        await application.StartAsync();
        return new DashboardHost(application);
    }

    /// <summary>Gets a page.</summary>
    public async Task<IHtmlDocument> GetPageAsync(string address, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var response = await Client.GetAsync(new Uri(address, UriKind.Relative));
        var text = await response.Content.ReadAsStringAsync();
        Assert.That(response.StatusCode, Is.EqualTo(status), $"{address}: {text}");
        Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/html; charset=utf-8"));
        return Parser.ParseDocument(text);
    }

    public async Task<string> GetTextAsync(string address, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var response = await Client.GetAsync(new Uri(address, UriKind.Relative));
        var text = await response.Content.ReadAsStringAsync();
        Assert.That(response.StatusCode, Is.EqualTo(status), $"{address}: {text}");
        return text;
    }

    /// <summary>Stops the application, as a signal to its process does.</summary>
    public Task StopAsync() => application.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await application.DisposeAsync();
    }
}

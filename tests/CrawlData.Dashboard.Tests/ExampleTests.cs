using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using CrawlData.Audits;
using CrawlData.Dashboard.Tests.Security;
using CrawlData.Tests;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace CrawlData.Dashboard.Tests;

/// <summary>The code of docs/dashboard.md.</summary>
public sealed class ExampleTests : DatabaseTest
{
    [Test]
    public async Task The_documented_application_shows_its_dashboard_to_operators()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection([new("ConnectionStrings:Crawls", Database.ConnectionString)]);
        builder.Services.AddAuthentication(TestAuthentication.Name).AddScheme<AuthenticationSchemeOptions, TestAuthentication>(TestAuthentication.Name, null);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();

        // snippet: dashboard
        builder.Services.AddCrawlData(builder.Configuration.GetConnectionString("Crawls")!);
        builder.Services.AddAuthorization(options => options.AddPolicy("operators", policy => policy.RequireRole("operator")));
        var app = builder.Build();
        app.MapCrawlDataDashboard("/crawls").RequireAuthorization("operators");
        // end snippet

        await using var disposal = app;
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        Assert.That((await client.GetAsync(new Uri("/crawls", UriKind.Relative))).StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));
        client.DefaultRequestHeaders.Add(TestAuthentication.Header, "operator");
        Assert.That(await client.GetStringAsync(new Uri("/crawls", UriKind.Relative)), Does.Contain("Overview"));
    }

    [Test]
    public async Task The_documented_redaction_removes_a_property()
    {
        await using var host = await DashboardHost.StartAsync(DataSource, map: app =>
        {
            // snippet: dashboard-redact
            app.MapCrawlDataDashboard("/crawls", options =>
            {
                options.Redact = (column, value) => value.ToElement() is { ValueKind: JsonValueKind.Object } json && json.TryGetProperty("password", out _)
                    ? Jsonb.From(new { redacted = true })
                    : value;
                options.RedactText = (column, text) => Regex.Replace(text, "token=[^&]*", "token=…");
            });
            // end snippet
        });
        var run = await Runs.InsertAsync(new Crawls.NewCrawlRun { AppPackage = "org.example.app", Goal = "open https://example.org/?token=abc&x=1" });
        await Events.AppendAsync(run.Id, new Crawls.NewCrawlEvent { EventType = "form.filled", Payload = Jsonb.From(new { password = "hunter2" }) });

        var text = await host.GetTextAsync($"api/v1/runs/{run.Id}");

        Assert.That(text, Does.Contain("\"payload\":{\"redacted\":true}").And.Not.Contain("hunter2").And.Not.Contain("token=abc"));
    }

    [Test]
    public async Task The_documented_function_opens_artifacts()
    {
        var bucket = new Dictionary<string, byte[]> { ["s3://audits/home.txt"] = "Home"u8.ToArray() };
        await using var host = await DashboardHost.StartAsync(DataSource, map: app =>
        {
            // snippet: dashboard-artifacts
            app.MapCrawlDataDashboard("/crawls", options =>
            {
                options.Artifacts = async (storageUri, cancellationToken) => storageUri.StartsWith("s3://audits/", StringComparison.Ordinal)
                    ? await OpenAsync(storageUri, cancellationToken)
                    : null;
            });
            // end snippet
        });
        var session = await Sessions.InsertAsync(Session("https://example.org/"));
        var page = await Pages.InsertAsync(
            session.Id, [new NewAuditPage { PageType = PageType.Homepage, Viewport = Viewport.Mobile, Status = PageStatus.Ok }]);
        var artifact = await Artifacts.InsertAsync(
            session.Id, new NewArtifact { PageId = page[0].Id, Type = ArtifactType.VisibleText, StorageUri = "s3://audits/home.txt", SizeBytes = 4 });

        Assert.That(await host.GetTextAsync($"sessions/{session.Id}/artifacts/{artifact.Id}"), Is.EqualTo("Home"));

        Task<Stream> OpenAsync(string storageUri, CancellationToken _) => Task.FromResult<Stream>(new MemoryStream(bucket[storageUri]));
    }

    [Test]
    public async Task The_documented_policy_maps_actions()
    {
        await using var host = await DashboardHost.StartAsync(
            DataSource,
            services: services => services.AddAuthorization(options => options.AddPolicy("operators", policy => policy.RequireRole("operator"))),
            map: app =>
            {
                // snippet: dashboard-actions
                app.MapCrawlDataDashboard("/crawls", options => options.Actions("operators")).RequireAuthorization("viewers");
                // end snippet
            });

        Assert.That(host.Endpoints.Select(endpoint => endpoint.RoutePattern.RawText), Does.Contain("/crawls/runs/{id:guid}/cancel"));
    }
}

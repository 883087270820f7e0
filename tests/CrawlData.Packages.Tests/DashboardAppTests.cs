using CrawlData.Testing;

namespace CrawlData.Packages.Tests;

/// <summary>A fresh web application with the dashboard, from the packed files alone.</summary>
public sealed class DashboardAppTests
{
    private const string Program =
        """
        using System.Text.RegularExpressions;

        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddCrawlData(args[0]);
        var app = builder.Build();
        app.MapCrawlDataDashboard("/crawls");
        app.Urls.Add("http://127.0.0.1:0");
        await app.StartAsync();

        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        var page = await client.GetStringAsync("/crawls");
        foreach (Match asset in Regex.Matches(page, "assets/[^\"]+"))
        {
            using var response = await client.GetAsync($"/crawls/{asset.Value}");
            Console.WriteLine($"{response.Content.Headers.ContentType} {response.StatusCode}");
        }

        Console.WriteLine(Regex.Match(page, "<h1>(.*)</h1>").Groups[1].Value);
        """;

    [Test]
    public async Task It_needs_no_more_than_two_lines()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });
        var project = await Packed.CreateProjectAsync("webapp", "CrawlData.Dashboard");
        await File.WriteAllTextAsync(Path.Combine(project, "Program.cs"), Program);
        await Command.RunAsync(project, Command.DotNet, "build", "-warnaserror");

        var output = await Command.RunAsync(
            project,
            new Dictionary<string, string?> { ["ASPNETCORE_ENVIRONMENT"] = "Development" },
            Command.DotNet,
            "run",
            "--no-build",
            "--no-launch-profile",
            "--",
            database.ConnectionString);

        Assert.That(
            output.Trim().Split('\n').Order(StringComparer.Ordinal),
            Is.EqualTo(new[] { "Overview", "image/svg+xml; charset=utf-8 OK", "text/css; charset=utf-8 OK", "text/javascript; charset=utf-8 OK" }));
    }
}

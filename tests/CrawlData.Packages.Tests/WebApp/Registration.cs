using CrawlData.Crawls;
using Npgsql;

/// <summary>Runs when the web app has stopped: another host, over a data source of the application's own.</summary>
internal static class Registration
{
    public static async Task RunAsync(string connectionString)
    {
        var builder = WebApplication.CreateBuilder();
        // snippet: register
        builder.Services.AddSingleton(NpgsqlDataSource.Create(connectionString));
        builder.Services.AddCrawlData(options => options.MigrateAtStartup = false);
        // end snippet
        await using var app = builder.Build();
        Console.WriteLine($"pending: {(await app.Services.GetRequiredService<CrawlRunRepository>().CountByStatusAsync())[CrawlStatus.Pending]}");
    }
}

using CrawlData.Crawls;
using CrawlData.Dashboard;
using CrawlData.Recordings;
using CrawlData.Schema;
using Npgsql;

namespace CrawlData.Cli.Serving;

/// <summary>The demo in a browser: recorded audits, a recorded crawl, and the same crawl once more at its own pace.</summary>
internal static class ServedDemo
{
    /// <summary>Serves it until it is cancelled.</summary>
    /// <param name="dataSource">An empty database.</param>
    /// <param name="port">The port; 0 for any.</param>
    /// <param name="speed">How much faster than recorded the crawl is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task RunAsync(NpgsqlDataSource dataSource, int port, double speed, CancellationToken cancellationToken)
    {
        await new SchemaMigrator(dataSource).MigrateAsync(cancellationToken);
        foreach (var name in new[] { RecordingSource.EmbeddedAudits, RecordingSource.EmbeddedCrawl })
        {
            await using var source = RecordingSource.OpenEmbedded(name);
            await source.ImportAsync(dataSource, new RecordingImportOptions { NewIds = true, Enqueue = true }, cancellationToken);
        }

        await using var recording = RecordingSource.UnpackEmbedded(RecordingSource.EmbeddedCrawl);
        var replay = await DemoReplay.ReadAsync(recording, cancellationToken);
        var options = new DashboardServerOptions { Port = port, AllowActions = true, Configure = dashboard => Configure(dashboard, replay) };
        await using var server = await DashboardServer.StartAsync(dataSource, options, cancellationToken);
        Console.WriteLine($"""

              {server.Link}

            The link works once. Opened, it starts a crawl: see it under Runs. Ctrl+C ends the demo.
            """);
        await server.Opened.WaitAsync(cancellationToken);
        await replay.RunAsync(new CrawlRunRepository(dataSource), new CrawlEventRepository(dataSource), speed, TimeProvider.System, cancellationToken);
        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    // A screen of the recording has the URL of its page, and the picture is drawn from the page's title.
    private static void Configure(CrawlDataDashboardOptions dashboard, DemoReplay replay)
    {
        dashboard.Title = "CrawlData demo";
        dashboard.ArtifactProperties = ["url"];
        dashboard.Artifacts = (uri, _) => Task.FromResult<Stream?>(
            replay.Titles.TryGetValue(uri, out var title) ? new MemoryStream(DemoPictures.Draw(title))
            : uri.EndsWith(".png", StringComparison.Ordinal) ? new MemoryStream(DemoPictures.Draw(Path.GetFileNameWithoutExtension(uri).Replace('-', ' ')))
            : null);
    }
}

using CrawlData.Citus.Tests.Clusters;
using CrawlData.Recordings;
using CrawlData.Testing;
using CrawlData.Tests;
using CrawlData.Tests.Cli;
using Npgsql;

namespace CrawlData.Citus.Tests.Recordings;

/// <summary>The tool's recordings are imported and exported as on plain PostgreSQL.</summary>
public sealed class EmbeddedRecordingTests
{
    [Test]
    public async Task An_imported_recording_is_exported_as_from_plain_PostgreSQL(
        [ValueSource(typeof(Tool), nameof(Tool.EmbeddedRecordings))] string name,
        [Values] CitusLayout layout)
    {
        await using var plain = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        await using var citus = await CitusDatabase.StartAsync(layout);

        var exported = await ImportAndExportAsync(citus.DataSource, name);

        Assert.That(exported, Is.Not.Empty);
        Assert.That(exported, Is.EqualTo(await ImportAndExportAsync(plain.DataSource, name)));
    }

    private static async Task<byte[]> ImportAndExportAsync(NpgsqlDataSource dataSource, string name)
    {
        await using var recording = Tool.OpenRecording(name);
        var imported = await new RecordingImporter(dataSource).ImportAsync(recording);
        var exporter = new RecordingExporter(dataSource);
        using var output = new MemoryStream();
        foreach (var crawl in imported.CrawlIds)
        {
            await exporter.ExportCrawlAsync(crawl, output);
        }

        foreach (var session in imported.SessionIds)
        {
            await exporter.ExportSessionAsync(session, output);
        }

        return output.ToArray();
    }
}

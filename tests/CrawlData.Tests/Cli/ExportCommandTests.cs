using CrawlData.Recordings;

namespace CrawlData.Tests.Cli;

public sealed class ExportCommandTests : ToolTest
{
    private readonly Dictionary<string, RecordingImportResult> imported = [];

    private Guid crawlId;

    [OneTimeSetUp]
    public async Task ImportTheEmbeddedRecordingsAsync()
    {
        foreach (var name in Tool.EmbeddedRecordings)
        {
            await using var recording = Tool.OpenRecording(name);
            imported.Add(name, await new RecordingImporter(DataSource).ImportAsync(recording));
        }

        crawlId = imported.Values.SelectMany(result => result.CrawlIds).Single();
    }

    /// <summary>An export writes a session's rows table by table. The recording has them in the order of time. Within a table the order is the same.</summary>
    [TestCaseSource(typeof(Tool), nameof(Tool.EmbeddedRecordings))]
    public async Task An_export_equals_the_imported_recording(string name)
    {
        string[] ids = [.. imported[name].CrawlIds.Concat(imported[name].SessionIds).Select(id => $"{id}")];

        var exported = await RunAsync(["export", .. ids]);

        AssertDone(exported);
        var recorded = await RecordedAsync(name);
        Assert.That(exported.Rows.GroupBy(TableOf).Select(table => table.Key), Is.EquivalentTo(recorded.Select(TableOf).Distinct()));
        foreach (var table in recorded.GroupBy(TableOf))
        {
            Assert.That(exported.Rows.Where(row => TableOf(row) == table.Key), table.Key is "audit_sessions" or "crawl_runs" or "crawl_events"
                ? Is.EqualTo(table)
                : Is.EquivalentTo(table));
        }
    }

    [Test]
    public async Task A_log_is_exported_in_its_order()
    {
        var session = imported[Tool.EmbeddedRecordings[1]].SessionIds[3];

        var exported = await RunAsync("export", $"{session}");

        var recorded = (await RecordedAsync(Tool.EmbeddedRecordings[1])).Where(row =>
            TableOf(row) == "crawl_logs" && row.ToElement().GetProperty("row").GetProperty("session_id").GetGuid() == session);
        Assert.That(exported.Rows.Where(row => TableOf(row) == "crawl_logs"), Is.EqualTo(recorded));
    }

    [Test]
    public async Task A_compressed_export_can_be_imported()
    {
        var file = TemporaryFile("crawl.ndjson.gz");

        var exported = await RunAsync("export", $"{crawlId}", "--output", file);
        var imported = await RunAsync("import", file, "--new-ids");

        AssertDone(exported);
        Assert.That(exported.Output, Is.Empty);
        AssertDone(imported);
        var again = Guid.Parse(imported.Column("crawl_id").Single()!);
        Assert.That(
            await Events.StreamAsync(again).Select(stored => stored.Payload).ToListAsync(),
            Is.EqualTo(await Events.StreamAsync(crawlId).Select(stored => stored.Payload).ToListAsync()));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(file)!), Is.EqualTo([file]));
    }

    [Test]
    public async Task An_unknown_id_leaves_the_file_unchanged()
    {
        var unknown = Guid.NewGuid();
        var file = TemporaryFile("crawl.ndjson");
        await File.WriteAllTextAsync(file, "precious");

        var toFile = await RunAsync("export", $"{unknown}", "--output", file);
        var toOutput = await RunAsync("export", $"{unknown}");

        AssertFailed(toFile, 1, $"crawldata: There is no crawl or session {unknown}.");
        AssertFailed(toOutput, 1, $"crawldata: There is no crawl or session {unknown}.");
        Assert.That(await File.ReadAllTextAsync(file), Is.EqualTo("precious"));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(file)!), Is.EqualTo([file]));
    }

    [Test]
    [TestCase("export")]
    [TestCase("events")]
    [Platform(Exclude = "Win", Reason = "On Windows the console ignores a closed pipe.")]
    public async Task A_closed_pipe_ends_the_command_without_an_error(string command)
    {
        using var process = Tool.Start(Database.ConnectionString, [command, $"{crawlId}"]);
        await process.StandardOutput.ReadLineAsync();
        process.StandardOutput.Close();

        Assert.That(await process.StandardError.ReadToEndAsync(), Is.Empty);
        Assert.That(await Tool.WaitAsync(process), Is.Zero);
    }

    private static string? TableOf(Jsonb line) => line.ToElement().GetProperty("table").GetString();

    private static async Task<IReadOnlyList<Jsonb>> RecordedAsync(string name)
    {
        using var reader = new StreamReader(Tool.OpenRecording(name));
        return [.. (await reader.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Jsonb.Parse(line))];
    }
}

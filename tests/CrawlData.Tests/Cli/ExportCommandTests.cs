using CrawlData.Recordings;

namespace CrawlData.Tests.Cli;

public sealed class ExportCommandTests : ToolTest
{
    private readonly Dictionary<string, RecordingImportResult> imported = [];

    private Guid carried;

    [OneTimeSetUp]
    public async Task ImportTheCarriedRecordingsAsync()
    {
        foreach (var name in Tool.Carried)
        {
            await using var recording = Tool.OpenRecording(name);
            imported.Add(name, await new RecordingImporter(DataSource).ImportAsync(recording));
        }

        carried = imported.Values.SelectMany(result => result.CrawlIds).Single();
    }

    /// <summary>An export puts a session's rows table by table, where the recording has them as they happened; within a table the order is the same.</summary>
    [TestCaseSource(typeof(Tool), nameof(Tool.Carried))]
    public async Task A_carried_recording_comes_out_as_it_went_in(string name)
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
    public async Task A_session_s_log_comes_out_in_its_order()
    {
        var session = imported[Tool.Carried[1]].SessionIds[3];

        var exported = await RunAsync("export", $"{session}");

        Assert.That(
            exported.Rows.Where(row => TableOf(row) == "crawl_logs"),
            Is.EqualTo((await RecordedAsync(Tool.Carried[1])).Where(row => TableOf(row) == "crawl_logs"
                && row.ToElement().GetProperty("row").GetProperty("session_id").GetGuid() == session)));
    }

    [Test]
    public async Task A_compressed_file_imports_again()
    {
        var file = TemporaryFile("crawl.ndjson.gz");

        var exported = await RunAsync("export", $"{carried}", "--output", file);
        var imported = await RunAsync("import", file, "--new-ids");

        AssertDone(exported);
        Assert.That(exported.Output, Is.Empty);
        AssertDone(imported);
        var again = Guid.Parse(imported.Column("crawl_id").Single()!);
        Assert.That((await Events.StreamAsync(again).ToListAsync()).Select(stored => stored.Payload), Is.EqualTo((await Events.StreamAsync(carried).ToListAsync()).Select(stored => stored.Payload)));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(file)!), Is.EqualTo([file]));
    }

    [Test]
    public async Task An_unknown_id_leaves_the_file_as_it_was()
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
    [Platform(Exclude = "Win", Reason = "There the console takes a closed pipe for success.")]
    public async Task A_reader_that_goes_away_ends_it_quietly(string command)
    {
        using var process = Tool.Start(Database.ConnectionString, [command, $"{carried}"]);
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

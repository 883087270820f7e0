using System.IO.Compression;
using CrawlData.Cli.Commands;
using CrawlData.Recordings;

namespace CrawlData.Tests.Cli;

public sealed partial class ExportCommandTests : ToolTest
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

    /// <summary>The run still runs: an event comes after each export. The second export goes on where a file ended, the third has nothing new.</summary>
    [Test]
    public async Task Increments_have_each_event_once()
    {
        var crawl = await CreateCrawlAsync();
        var ids = (await Events.AppendAsync(crawl, EventsOf(2))).ToList();
        var (file, folder) = (TemporaryFile("crawl.ndjson.gz"), TemporaryFile("parquet"));

        var first = await RunAsync("export", $"{crawl}", "--after", "0", "--output", file);
        ids.Add(await Events.AppendAsync(crawl, Event(3)));
        var second = await RunAsync("export", $"{crawl}", "--after", first.Column("next_after").Single()!, "--csv");
        var third = await RunAsync("export", $"{crawl}", "--after", $"{ids[2]}", "--parquet", folder);

        AssertDone(first);
        Assert.That(first.Output, Is.EqualTo($$"""{"crawl_id":"{{crawl}}","status":"PENDING","rows":2,"next_after":{{ids[1]}}}""" + "\n"));
        using var lines = new StreamReader(new GZipStream(File.OpenRead(file), CompressionMode.Decompress));
        Assert.That((await lines.ReadToEndAsync()).Split('\n')[..^1], Has.Length.EqualTo(2).And.All.StartsWith("""{"table":"crawl_events",""" + '"'));
        Assert.That((second.ExitCode, second.Error.Trim()), Is.EqualTo((0, $"--after {ids[2]} continues here.")));
        Assert.That(second.Output, Does.Match($"\\Aid,crawl_id,event_type,payload,created_at\r\n{ids[2]},[^\n]+\r\n\\z"));
        AssertDone(third);
        Assert.That(third.Output, Is.EqualTo($$"""{"crawl_id":"{{crawl}}","status":"PENDING","rows":0,"next_after":{{ids[2]}}}""" + "\n"));
        Assert.That(Directory.GetFileSystemEntries(Path.GetDirectoryName(folder)!), Is.Empty);
    }

    /// <summary>A database that was restored to an earlier state draws the ids again, below the cursor.</summary>
    [Test]
    public async Task An_increment_after_what_is_no_event_of_the_crawl_is_refused()
    {
        var crawl = await CreateCrawlAsync();
        var session = imported[Tool.EmbeddedRecordings[1]].SessionIds[0];
        await Events.AppendAsync(crawl, Event(1));
        var other = (await Events.StreamAsync(crawlId).FirstAsync()).Id;

        var ofOther = await RunAsync("export", $"{crawl}", "--after", $"{other}");
        var ofSession = await RunAsync("export", $"{session}", "--after", "1");

        AssertFailed(ofOther, 1, $"crawldata: Crawl {crawl} has no event {other}: the id is of another crawl, or the database has lost events.");
        AssertFailed(ofSession, 2, $"crawldata: --after takes a crawl, and {session} is an audit session.");
    }

    [Test]
    [TestCase("--after takes one crawl, because each crawl has its own last id", "0000", "0001", "--after", "0")]
    [TestCase("--csv and --parquet exclude each other", "0000", "--csv", "--parquet", "folder")]
    [TestCase("--output and --parquet exclude each other", "0000", "--output", "file", "--parquet", "folder")]
    [TestCase("--table needs --csv", "0000", "--table", "crawl_logs")]
    [TestCase("--table takes one of crawl_runs, crawl_events, audit_sessions, audit_pages, artifacts, crawl_logs, not 'log'", "0", "--csv", "--table", "log")]
    [TestCase("--after is for the table crawl_events", "0000", "--csv", "--table", "crawl_runs", "--after", "0")]
    public void Options_that_exclude_each_other_are_refused(string error, params string[] arguments) => Assert.That(
        new ExportCommand().Parse(arguments).Errors.Select(one => one.Message), Does.Contain(error));

    private static string? TableOf(Jsonb line) => line.ToElement().GetProperty("table").GetString();

    private static async Task<IReadOnlyList<Jsonb>> RecordedAsync(string name)
    {
        using var reader = new StreamReader(Tool.OpenRecording(name));
        return [.. (await reader.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Jsonb.Parse(line))];
    }
}

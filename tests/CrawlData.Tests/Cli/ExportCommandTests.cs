using CrawlData.Recordings;

namespace CrawlData.Tests.Cli;

public sealed class ExportCommandTests : ToolTest
{
    private Guid carried;

    [OneTimeSetUp]
    public async Task ImportTheCarriedRecordingAsync()
    {
        await using var recording = Tool.OpenRecording();
        carried = (await new RecordingImporter(DataSource).ImportAsync(recording)).CrawlIds.Single();
    }

    [Test]
    public async Task The_carried_recording_comes_out_as_it_went_in()
    {
        var exported = await RunAsync("export", $"{carried}");

        AssertDone(exported);
        Assert.That(exported.Rows, Is.EqualTo(await RecordedAsync()));
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
        Assert.That((await Events.ListAsync(again)).Select(stored => stored.Payload), Is.EqualTo((await Events.ListAsync(carried)).Select(stored => stored.Payload)));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(file)!), Is.EqualTo([file]));
    }

    [Test]
    public async Task An_unknown_crawl_leaves_the_file_as_it_was()
    {
        var unknown = Guid.NewGuid();
        var file = TemporaryFile("crawl.ndjson");
        await File.WriteAllTextAsync(file, "precious");

        var toFile = await RunAsync("export", $"{unknown}", "--output", file);
        var toOutput = await RunAsync("export", $"{unknown}");

        AssertFailed(toFile, 1, $"crawldata: There is no crawl {unknown}.");
        AssertFailed(toOutput, 1, $"crawldata: There is no crawl {unknown}.");
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

    private static async Task<IReadOnlyList<Jsonb>> RecordedAsync()
    {
        using var reader = new StreamReader(Tool.OpenRecording());
        return [.. (await reader.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Jsonb.Parse(line))];
    }
}

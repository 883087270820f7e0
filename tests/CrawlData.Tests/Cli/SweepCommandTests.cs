using CrawlData.Audits;

namespace CrawlData.Tests.Cli;

[Parallelizable(ParallelScope.Self)]
public sealed class SweepCommandTests : ToolTest
{
    private static readonly DateTimeOffset Past = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [SetUp]
    public async Task EmptyAsync()
    {
        await using var truncate = DataSource.CreateCommand("truncate audit_sessions cascade");
        await truncate.ExecuteNonQueryAsync();
    }

    [Test]
    public async Task Local_files_are_deleted_and_marked_and_artifacts_in_other_storage_are_printed()
    {
        var file = TemporaryFile("a b.png");
        await File.WriteAllTextAsync(file, "picture");
        var gone = TemporaryFile("gone.png");
        var artifacts = await InsertAsync(new Uri(file).AbsoluteUri, new Uri(gone).AbsoluteUri, "s3://audits/1.png", "file://elsewhere/2.png");

        var result = await RunAsync("sweep");

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo(["s3://audits/1.png", "file://elsewhere/2.png"]));
        Assert.That(File.Exists(file), Is.False);
        Assert.That(await MarkedAsync(), Is.EqualTo(artifacts.Take(2).Select(artifact => artifact.StorageUri)));
    }

    /// <summary>The path may be a key in a bucket.</summary>
    [Test]
    public async Task A_path_without_the_file_scheme_is_not_deleted()
    {
        var file = TemporaryFile("precious");
        await File.WriteAllTextAsync(file, "precious");
        await InsertAsync(file);

        var result = await RunAsync("sweep");

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo([file]));
        Assert.That(File.Exists(file));
        Assert.That(await MarkedAsync(), Is.Empty);
    }

    [Test]
    public async Task A_file_that_no_path_can_name_is_not_marked_and_the_others_are()
    {
        var file = TemporaryFile("here.png");
        await InsertAsync("file:///tmp/a%00b.png", new Uri(file).AbsoluteUri);

        var result = await RunAsync("sweep");

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That(result.Error, Does.StartWith("crawldata: 1 file could not be deleted; the next sweep will retry. First error: "));
        Assert.That(await MarkedAsync(), Is.EqualTo([new Uri(file).AbsoluteUri]));
    }

    [Test]
    public async Task A_file_whose_folder_is_missing_is_not_marked_and_the_others_are()
    {
        var file = TemporaryFile("here.png");
        await InsertAsync("file:///not/mounted/1.png", new Uri(file).AbsoluteUri);

        var result = await RunAsync("sweep");

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That(
            result.Error,
            Does.StartWith("crawldata: 1 file could not be deleted; the next sweep will retry. First error: ").And.Contains("/not/mounted/1.png"));
        Assert.That(await MarkedAsync(), Is.EqualTo([new Uri(file).AbsoluteUri]));
    }

    [Test]
    public async Task Printed_artifacts_can_be_acknowledged_by_their_rows_or_ids()
    {
        var artifacts = await InsertAsync("s3://audits/1.png", "s3://audits/2.png", "s3://audits/3.png");
        var rows = (await RunAsync("sweep")).Output.Split('\n');
        var file = TemporaryFile("gone.ndjson");
        await File.WriteAllTextAsync(file, $"{rows[0]}\n\n{artifacts[2].Id}\n{Guid.NewGuid()}\n");

        var result = await RunAsync("sweep", "--acknowledged", file);

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo(["s3://audits/2.png"]));
        Assert.That(await MarkedAsync(), Is.EqualTo(["s3://audits/1.png", "s3://audits/3.png"]));
    }

    [Test]
    public async Task An_invalid_acknowledgement_is_reported_before_anything_is_deleted_or_marked()
    {
        var artifact = (await InsertAsync("s3://audits/1.png")).Single();

        var result = await RunWithInputAsync($"{artifact.Id}\n[1]\n", "sweep", "--acknowledged", "-");

        AssertFailed(result, 1, "crawldata: -:2: is neither an artifact's id nor a row that `crawldata sweep` printed; nothing was done.");
        Assert.That(await MarkedAsync(), Is.Empty);
    }

    [Test]
    public async Task A_dry_run_prints_the_expired_artifacts_and_changes_nothing()
    {
        var file = TemporaryFile("kept.png");
        await File.WriteAllTextAsync(file, "picture");
        await InsertAsync(new Uri(file).AbsoluteUri);

        var result = await RunAsync("sweep", "--dry-run");

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo([new Uri(file).AbsoluteUri]));
        Assert.That(File.Exists(file));
        Assert.That(await MarkedAsync(), Is.Empty);
    }

    private async Task<IReadOnlyList<Artifact>> InsertAsync(params string[] storageUris)
    {
        var session = await EnqueueAsync();
        var page = await Pages.InsertAsync(session, Page());
        return await Artifacts.InsertAsync(session, storageUris.Select((uri, number) => Artifact(page.Id) with
        {
            StorageUri = uri,
            RetentionUntil = Past.AddMinutes(number),
        }));
    }

    /// <summary>Gets the URIs of the artifacts that are marked as deleted.</summary>
    private async Task<List<string>> MarkedAsync()
    {
        var marked = new List<string>();
        await using var select = DataSource.CreateCommand("select storage_uri from artifacts where deleted_at is not null order by retention_until");
        await using var reader = await select.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            marked.Add(reader.GetString(0));
        }

        return marked;
    }
}

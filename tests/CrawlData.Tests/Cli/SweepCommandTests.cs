using CrawlData.Audits;
using CrawlData.Retention;

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
    public async Task Files_below_the_roots_are_deleted_and_marked_and_the_other_artifacts_are_printed()
    {
        var (file, other) = (TemporaryFile("a b.png"), TemporaryFile("other.png"));
        var (gone, outside) = (Path.Combine(Path.GetDirectoryName(other)!, "gone.png"), TemporaryFile("outside.png"));
        await WriteAsync(file, other, outside);
        var artifacts = await InsertAsync(Uri(file), Uri(other), Uri(gone), "s3://audits/1.png", "file://elsewhere/2.png", Uri(outside));

        var result = await RunAsync("sweep", "--root", Path.GetDirectoryName(file)!, "--root", Path.GetDirectoryName(other)!);

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo(artifacts.Skip(3).Select(artifact => artifact.StorageUri)));
        Assert.That((File.Exists(file), File.Exists(other), File.Exists(outside)), Is.EqualTo((false, false, true)));
        Assert.That(await MarkedAsync(), Is.EqualTo(artifacts.Take(3).Select(artifact => artifact.StorageUri)));
    }

    [Test]
    public async Task Without_a_root_no_file_is_deleted()
    {
        var (file, gone) = (TemporaryFile("picture.png"), TemporaryFile("gone.png"));
        await WriteAsync(file);
        await InsertAsync(Uri(file), Uri(gone));

        var result = await RunAsync("sweep");

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo([Uri(file), Uri(gone)]));
        Assert.That(File.Exists(file));
        Assert.That(await MarkedAsync(), Is.Empty);
    }

    /// <summary>Beside them lie the files that they could be mistaken for. FileArtifactStoreTests has more such URIs.</summary>
    [Test]
    public async Task URIs_that_name_no_file_here_are_printed_and_not_marked()
    {
        var file = TemporaryFile("index.html");
        var folder = Path.GetDirectoryName(file)!;
        var sub = Directory.CreateDirectory(Path.Combine(folder, "sub")).FullName;
        string[] kept = [file, Path.Combine(folder, "page"), Path.Combine(folder, "trail .png"), Path.Combine(folder, "trail .png ")];
        await WriteAsync(kept);
        string[] uris =
        [
            $"file://{folder}/index.html?p=1", $"file://{folder}/page#top.png", $"file://{sub}/..%2Fpage", $"file://{folder}/trail .png ",
            $"file://localhost{folder}/page", $"file://{sub}/../page", "file:///C:/shots/x.png", $"file://{folder}/a%00b.png", file,
        ];
        var artifacts = await InsertAsync([.. uris, Uri(Path.Combine(folder, "gone.png"))]);

        var result = await RunAsync("sweep", "--root", folder);

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo(uris));
        Assert.That(kept.Where(File.Exists), Is.EqualTo(kept));
        Assert.That(await MarkedAsync(), Is.EqualTo([artifacts[^1].StorageUri]));
    }

    [Test]
    public async Task A_link_that_leads_out_of_the_root_is_not_followed()
    {
        var (root, file) = (Path.GetDirectoryName(TemporaryFile("root"))!, TemporaryFile("picture.png"));
        await WriteAsync(file);
        Directory.CreateSymbolicLink(Path.Combine(root, "link"), Path.GetDirectoryName(file)!);
        var uri = Uri(Path.Combine(root, "link", "picture.png"));
        await InsertAsync(uri);

        var result = await RunAsync("sweep", "--root", root);

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo([uri]));
        Assert.That(File.Exists(file));
        Assert.That(await MarkedAsync(), Is.Empty);
    }

    /// <summary>More failures than a batch has, before a file that can be deleted.</summary>
    [Test]
    public async Task Files_that_cannot_be_deleted_are_reported_by_id_and_the_next_ones_are_deleted()
    {
        var file = TemporaryFile("picture.png");
        var folder = Path.GetDirectoryName(file)!;
        await WriteAsync(file);
        var artifacts = await InsertAsync([.. Enumerable.Range(1, 150).Select(number => $"file://{folder}/missing/{number}.png"), Uri(file)]);

        var result = await RunAsync("sweep", "--root", folder);

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That(result.Error.ReplaceLineEndings("\n").Split('\n'), Is.EqualTo(
        [
            .. artifacts.SkipLast(1).Select((artifact, index) => $"{artifact.Id}: Could not find a part of the path '{folder}/missing/{index + 1}.png'."),
            "crawldata: 150 files could not be deleted; the next sweep will retry.", "",
        ]));
        Assert.That(File.Exists(file), Is.False);
        Assert.That(await MarkedAsync(), Is.EqualTo([Uri(file)]));
    }

    [TestCase("/there/is/no/such/folder")]
    [TestCase("")]
    public async Task A_root_that_does_not_exist_is_refused_before_anything_is_deleted(string root)
    {
        var file = TemporaryFile("picture.png");
        await WriteAsync(file);
        await InsertAsync(Uri(file));

        var result = await RunAsync("sweep", "--root", Path.GetDirectoryName(file)!, "--root", root);

        AssertFailed(result, 2, $"crawldata: --root {root}: there is no such folder; nothing was done.");
        Assert.That(File.Exists(file));
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
        await InsertAsync(Uri(file));

        var result = await RunAsync("sweep", "--dry-run", "--root", Path.GetDirectoryName(file)!);

        AssertDone(result);
        Assert.That(result.Column("storage_uri"), Is.EqualTo([Uri(file)]));
        Assert.That(File.Exists(file));
        Assert.That(await MarkedAsync(), Is.Empty);
    }

    private static string Uri(string path) => FileArtifactStore.GetStorageUri(path);

    private static async Task WriteAsync(params string[] files)
    {
        foreach (var file in files)
        {
            await File.WriteAllTextAsync(file, "picture");
        }
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

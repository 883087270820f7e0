using System.Globalization;
using CrawlData.Retention;

namespace CrawlData.Tests.Retention;

/// <summary>Each test has a root of its own, and a folder beside it that no URI may reach.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class FileArtifactStoreTests
{
    private string parent = null!;
    private string root = null!;
    private string outside = null!;

    [SetUp]
    public void MakeFolders()
    {
        // The temporary folder itself may be a symbolic link.
        parent = Directory.CreateTempSubdirectory("crawldata-").FullName;
        root = Directory.CreateDirectory(Path.Combine(parent, "root")).FullName;
        outside = Directory.CreateDirectory(Path.Combine(parent, "root-outside")).FullName;
    }

    [TearDown]
    public void DeleteFolders() => Directory.Delete(parent, recursive: true);

    /// <summary>The files are those that the URIs could be mistaken for. None of them is what a URI names, and a missing one is not deleted.</summary>
    [TestCase("file://{0}/index.html?p=1", TestName = "A URI with a query names no file")]
    [TestCase("file://{0}/index.html?", TestName = "A URI with an empty query names no file")]
    [TestCase("file://{0}/page#top.png", TestName = "A URI with a fragment names no file")]
    [TestCase("file://{0}/sub/..%2Fpage", TestName = "A URI with an encoded slash after dots names no file")]
    [TestCase("file://{0}/sub%2fpage", TestName = "A URI with an encoded slash names no file")]
    [TestCase("file://{0}/sub%5Cpage", TestName = "A URI with an encoded backslash names no file")]
    [TestCase("file://{0}/sub\\page", TestName = "A URI with a backslash names no file")]
    [TestCase("file://{0}/sub/../page", TestName = "A URI with a segment of two dots names no file")]
    [TestCase("file://{0}/sub/%2E%2e/page", TestName = "A URI with a segment of two encoded dots names no file")]
    [TestCase("file://{0}/./page", TestName = "A URI with a segment of one dot names no file")]
    [TestCase("file://{0}//page", TestName = "A URI with an empty segment names no file")]
    [TestCase("file://{0}/sub/", TestName = "A URI of a folder names no file")]
    [TestCase("file:///", TestName = "A URI of the file system's root names no file")]
    [TestCase("file://", TestName = "A URI without a path names no file")]
    [TestCase("", TestName = "An empty URI names no file")]
    [TestCase("file:/{0}/page", TestName = "A URI whose host is the first folder names no file")]
    [TestCase("file:{0}/page", TestName = "A URI without an authority names no file")]
    [TestCase("file:page", TestName = "A relative URI names no file")]
    [TestCase("file://localhost{0}/page", TestName = "A URI of localhost names no file")]
    [TestCase("file://elsewhere{0}/page", TestName = "A URI with a host names no file")]
    [TestCase("file://user@{0}/page", TestName = "A URI with a user names no file")]
    [TestCase("file://:80{0}/page", TestName = "A URI with a port names no file")]
    [TestCase("file:///{0}/page", TestName = "A URI of a UNC path names no file")]
    [TestCase("file:///C:/shots/page", TestName = "A URI with a drive names no file on Unix")]
    [TestCase("file:///c%3A/shots/page", TestName = "A URI with an encoded drive names no file on Unix")]
    [TestCase("file://{0}/trail ", TestName = "A URI with a space at its end names no file")]
    [TestCase(" file://{0}/page", TestName = "A URI with a space at its beginning names no file")]
    [TestCase("file://{0}/é", TestName = "A URI with a letter outside ASCII names no file")]
    [TestCase("file://{0}/gone%00", TestName = "A URI with U+0000 names no file")]
    [TestCase("file://{0}/gone%0A", TestName = "A URI with a line feed names no file")]
    [TestCase("file://{0}/gone%7F", TestName = "A URI with U+007F names no file")]
    [TestCase("file://{0}/gone%C2%9B", TestName = "A URI with U+009B names no file")]
    [TestCase("file://{0}/gone%FF", TestName = "A URI with a byte that is not UTF-8 names no file")]
    [TestCase("file://{0}/sub%C0%AFpage", TestName = "A URI with an overlong slash names no file")]
    [TestCase("file://{0}/gone%zz", TestName = "A URI with a percent sign before letters names no file")]
    [TestCase("file://{0}/gone%4", TestName = "A URI with a percent sign near its end names no file")]
    [TestCase("file://{0}/gone% 4", TestName = "A URI with a percent sign before a space names no file")]
    [TestCase("http://{0}/page", TestName = "A URI of another scheme names no file")]
    [TestCase("{0}/page", TestName = "A path names no file")]
    public void A_URI_names_no_file(string storageUri)
    {
        string[] files = ["index.html", "page", "trail", "trail ", "é", "sub/page"];
        WriteFiles(root, files);
        storageUri = string.Format(CultureInfo.InvariantCulture, storageUri, root);

        Assert.That(FileArtifactStore.TryGetPath(storageUri, out var path), Is.False);
        Assert.That(path, Is.Null);
        Assert.That(new FileArtifactStore([root]).Delete(storageUri).Outcome, Is.EqualTo(FileDeletionOutcome.NoFile));
        Assert.That(FilesIn(root), Is.EquivalentTo(files));
    }

    [TestCase("index.html?p=1")]
    [TestCase("page#top.png")]
    [TestCase("100%25.png")]
    [TestCase("trail .png ")]
    [TestCase("Bücher [1] 😀.png")]
    [TestCase("a(b)!*';:@&=+$,~.png")]
    [TestCase("sub/..x/.hidden")]
    [TestCase("sub/...")]
    public void Exactly_the_file_that_its_URI_names_is_deleted(string name)
    {
        string[] others = ["index.html", "page", "100%.png", "trail .png", "sub/page"];
        WriteFiles(root, [.. others, name]);
        var storageUri = FileArtifactStore.GetStorageUri(Path.Combine(root, name));

        var deletion = new FileArtifactStore([root]).Delete(storageUri);

        Assert.That((deletion.Outcome, deletion.Error), Is.EqualTo((FileDeletionOutcome.Deleted, (Exception?)null)));
        Assert.That(FilesIn(root), Is.EquivalentTo(others));
    }

    /// <summary>Programs differ in what they encode, and in the case of hex digits. By RFC 3986 these are the same URI.</summary>
    [TestCase("file:///d/a%20(b)@2x.png")]
    [TestCase("file:///d/a%20%28b%29%402x.png")]
    [TestCase("FILE:///d/%61%20(b)@2x%2epng")]
    [TestCase("file:///%64/a%20(b)@2x%2Epng")]
    public void Equivalent_URIs_name_the_same_file(string storageUri)
    {
        Assert.That(FileArtifactStore.TryGetPath(storageUri, out var path));
        Assert.That(path, Is.EqualTo("/d/a (b)@2x.png"));
    }

    [TestCase("/d/a b.png", "file:///d/a%20b.png")]
    [TestCase("/d/index.html?p=1", "file:///d/index.html%3Fp%3D1")]
    [TestCase("/d/trail ", "file:///d/trail%20")]
    public void A_storage_URI_is_made_of_a_path(string path, string storageUri) => Assert.That(FileArtifactStore.GetStorageUri(path), Is.EqualTo(storageUri));

    [TestCase("")]
    [TestCase("page")]
    [TestCase("/")]
    [TestCase("/d/")]
    [TestCase("//d/page")]
    [TestCase("/d/../page")]
    [TestCase("/d/./page")]
    [TestCase("/d/a\\b")]
    [TestCase("/d/a\nb")]
    [TestCase("/d/a\0b")]
    [TestCase("/C:/page")]
    public void A_path_that_no_URI_can_name_is_refused(string path) =>
        Assert.That(() => FileArtifactStore.GetStorageUri(path), Throws.ArgumentException.With.Property("ParamName").EqualTo("path"));

    // An attribute cannot hold it.
    [Test]
    public void A_path_with_a_lone_surrogate_is_refused() => A_path_that_no_URI_can_name_is_refused("/d/a\ud800b");

    [Test]
    public void A_file_outside_the_roots_is_not_deleted()
    {
        WriteFiles(parent, ["page", "root-outside/page"]);
        var store = new FileArtifactStore([root]);

        Assert.That(Outcome(store, Path.Combine(parent, "page")), Is.EqualTo(FileDeletionOutcome.OutsideRoots));
        Assert.That(Outcome(store, Path.Combine(outside, "page")), Is.EqualTo(FileDeletionOutcome.OutsideRoots));
        Assert.That(Outcome(store, Path.Combine(outside, "missing")), Is.EqualTo(FileDeletionOutcome.OutsideRoots));
        Assert.That(FilesIn(parent), Is.EquivalentTo(["page", "root-outside/page"]));
    }

    [Test]
    public void Files_in_and_below_each_root_are_deleted()
    {
        WriteFiles(parent, ["root/page", "root/sub/page", "root-outside/page"]);
        var store = new FileArtifactStore([$"{root}/", outside]);

        foreach (var file in FilesIn(parent).ToList())
        {
            Assert.That(Outcome(store, Path.Combine(parent, file)), Is.EqualTo(FileDeletionOutcome.Deleted));
        }

        Assert.That(FilesIn(parent), Is.Empty);
    }

    [Test]
    public void A_link_in_a_root_that_leads_out_of_it_is_not_followed()
    {
        WriteFiles(outside, ["page", "sub/page"]);
        Directory.CreateSymbolicLink(Path.Combine(root, "link"), outside);
        Directory.CreateSymbolicLink(Path.Combine(root, "relative"), "../root-outside/sub");
        Directory.CreateSymbolicLink(Path.Combine(root, "chain"), "relative");
        Directory.CreateSymbolicLink(Path.Combine(root, "up"), "chain/..");
        var store = new FileArtifactStore([root]);

        foreach (var path in new[] { "link/page", "link/sub/page", "relative/page", "chain/page", "up/page", "link/missing" })
        {
            Assert.That(Outcome(store, Path.Combine(root, path)), Is.EqualTo(FileDeletionOutcome.OutsideRoots), path);
        }

        Assert.That(FilesIn(outside), Is.EquivalentTo(["page", "sub/page"]));
    }

    [Test]
    public void A_link_that_stays_in_the_root_is_followed()
    {
        WriteFiles(root, ["sub/one", "sub/two"]);
        Directory.CreateSymbolicLink(Path.Combine(root, "link"), "sub");
        Directory.CreateSymbolicLink(Path.Combine(outside, "way"), root);
        var store = new FileArtifactStore([root]);

        Assert.That(Outcome(store, Path.Combine(root, "link/one")), Is.EqualTo(FileDeletionOutcome.Deleted));
        Assert.That(Outcome(store, Path.Combine(outside, "way/link/two")), Is.EqualTo(FileDeletionOutcome.Deleted));
        Assert.That(Directory.EnumerateFiles(Path.Combine(root, "sub")), Is.Empty);
    }

    [Test]
    public void A_root_may_be_a_link()
    {
        WriteFiles(root, ["one", "two"]);
        var link = Path.Combine(parent, "link");
        Directory.CreateSymbolicLink(link, root);
        var store = new FileArtifactStore([link]);

        Assert.That(Outcome(store, Path.Combine(link, "one")), Is.EqualTo(FileDeletionOutcome.Deleted));
        Assert.That(Outcome(store, Path.Combine(root, "two")), Is.EqualTo(FileDeletionOutcome.Deleted));
    }

    [Test]
    public void A_file_that_is_a_link_is_not_deleted([Values("page", "../root-outside/page", "missing")] string target)
    {
        WriteFiles(parent, ["root/page", "root-outside/page"]);
        var link = Path.Combine(root, "link");
        File.CreateSymbolicLink(link, target);

        var deletion = new FileArtifactStore([root]).Delete(FileArtifactStore.GetStorageUri(link));

        Assert.That(deletion.Outcome, Is.EqualTo(FileDeletionOutcome.Failed));
        Assert.That(deletion.Error!.Message, Is.EqualTo($"'{link}' is a symbolic link."));
        Assert.That(new FileInfo(link).LinkTarget, Is.EqualTo(target));
        Assert.That(File.Exists(Path.Combine(root, "page")) && File.Exists(Path.Combine(outside, "page")));
    }

    [Test]
    public void A_circle_of_links_is_an_error()
    {
        Directory.CreateSymbolicLink(Path.Combine(root, "one"), "two");
        Directory.CreateSymbolicLink(Path.Combine(root, "two"), "one/sub");

        Assert.That(Outcome(new FileArtifactStore([root]), Path.Combine(root, "one/page")), Is.EqualTo(FileDeletionOutcome.Failed));
    }

    /// <summary>A folder that is missing may be on a volume that is not mounted.</summary>
    [Test]
    public void A_missing_file_counts_as_deleted_only_where_its_folder_exists()
    {
        WriteFiles(root, ["page"]);
        var store = new FileArtifactStore([root, Path.Combine(parent, "unmounted")]);

        Assert.That(Outcome(store, Path.Combine(root, "missing")), Is.EqualTo(FileDeletionOutcome.Deleted));
        Assert.That(Outcome(store, Path.Combine(root, "missing/page")), Is.EqualTo(FileDeletionOutcome.Failed));
        Assert.That(Outcome(store, Path.Combine(root, "page/page")), Is.EqualTo(FileDeletionOutcome.Failed));
        Assert.That(Outcome(store, Path.Combine(parent, "unmounted/page")), Is.EqualTo(FileDeletionOutcome.Failed));
    }

    [Test]
    public void A_folder_is_not_deleted()
    {
        Directory.CreateDirectory(Path.Combine(root, "sub"));

        Assert.That(Outcome(new FileArtifactStore([root]), Path.Combine(root, "sub")), Is.EqualTo(FileDeletionOutcome.Failed));
        Assert.That(Directory.Exists(Path.Combine(root, "sub")));
    }

    [Test]
    public async Task Artifacts_that_cannot_be_deleted_are_logged_by_id_and_passed_over()
    {
        WriteFiles(parent, ["root/one", "root/two", "page"]);
        var artifacts = new[]
        {
            Expired($"{new Uri(root).AbsoluteUri}/one"),
            Expired($"{new Uri(root).AbsoluteUri}/gone%00"),
            Expired($"{new Uri(root).AbsoluteUri}/missing/page"),
            Expired($"{new Uri(parent).AbsoluteUri}/page"),
            Expired("s3://audits/1.png"),
            Expired($"{new Uri(root).AbsoluteUri}/{new string('a', 10_000)}"),
            Expired($"{new Uri(root).AbsoluteUri}/two"),
        };
        const int fileNotDeleted = 52;
        var log = new LoggedEvents<FileArtifactStore>(fileNotDeleted);

        var deleted = await new FileArtifactStore([root], log).DeleteAsync(artifacts, CancellationToken.None);

        Assert.That(deleted, Is.EqualTo([artifacts[0], artifacts[^1]]));
        string[] reasons = ["NoFile", "DirectoryNotFoundException", "OutsideRoots", "NoFile", "PathTooLongException"];
        Assert.That(log.Received.ToList(), Is.EqualTo(
            reasons.Select((reason, index) => $"The file of expired artifact {artifacts[index + 1].Id} was not deleted: {reason}.")));
    }

    [Test]
    public async Task A_cancelled_store_returns_what_it_has_deleted()
    {
        WriteFiles(root, ["page"]);

        var deleted = await new FileArtifactStore([root]).DeleteAsync([Expired($"{new Uri(root).AbsoluteUri}/page")], new CancellationToken(canceled: true));

        Assert.That(deleted, Is.Empty);
        Assert.That(FilesIn(root), Is.EqualTo(["page"]));
    }

    [TestCase]
    [TestCase("")]
    [TestCase("audits")]
    [TestCase("/var/audits", null)]
    [TestCase("/var/audits", "./audits")]
    [TestCase("/var/\0")]
    public void Roots_are_full_paths(params string?[] roots) =>
        Assert.That(() => new FileArtifactStore(roots!), Throws.ArgumentException.With.Property("ParamName").EqualTo("roots"));

    [Test]
    public void A_file_below_a_root_is_read_also_through_links_that_stay_there()
    {
        WriteFiles(root, ["sub/page"]);
        File.CreateSymbolicLink(Path.Combine(root, "file-link"), Path.Combine("sub", "page"));
        Directory.CreateSymbolicLink(Path.Combine(root, "folder-link"), Path.Combine(root, "sub"));

        foreach (var path in new[] { "sub/page", "file-link", "folder-link/page" })
        {
            Assert.That(Read(Path.Combine(root, path)), Is.EqualTo("picture"), path);
        }
    }

    [Test]
    public void Nothing_outside_the_roots_is_read()
    {
        WriteFiles(outside, ["page"]);
        WriteFiles(root, ["sub/page"]);
        File.CreateSymbolicLink(Path.Combine(root, "file-link"), Path.Combine(outside, "page"));
        Directory.CreateSymbolicLink(Path.Combine(root, "folder-link"), outside);

        foreach (var path in new[] { Path.Combine(outside, "page"), Path.Combine(root, "file-link"), Path.Combine(root, "folder-link", "page") })
        {
            Assert.That(Read(path), Is.Null, path);
        }
    }

    [Test]
    public void What_is_no_file_is_not_read()
    {
        WriteFiles(root, ["sub/page"]);

        Assert.That(Read(Path.Combine(root, "sub")), Is.Null);
        Assert.That(Read(Path.Combine(root, "missing")), Is.Null);
        Assert.That(Read(Path.Combine(root, "missing", "page")), Is.Null);
        Assert.That(new FileArtifactStore([root]).OpenRead($"{new Uri(root).AbsoluteUri}/sub/../sub/page"), Is.Null);
        Assert.That(new FileArtifactStore([root]).OpenRead("https://example.org/page"), Is.Null);
    }

    /// <summary>Opening a pipe would block until somebody writes into it, and a device may have no end.</summary>
    [Test]
    [Platform(Exclude = "Win", Reason = "Windows has no such files in folders.")]
    [CancelAfter(60_000)]
    public void Pipes_devices_and_empty_files_read_as_empty()
    {
        using (var make = System.Diagnostics.Process.Start("mkfifo", [Path.Combine(root, "pipe")]))
        {
            make.WaitForExit();
        }

        File.WriteAllText(Path.Combine(root, "empty"), "");

        Assert.That(Read(Path.Combine(root, "pipe")), Is.Empty);
        Assert.That(Read(Path.Combine(root, "empty")), Is.Empty);
        Assert.That(Read("/dev/zero", "/dev"), Is.Empty);
    }

    private string? Read(string path, string? below = null)
    {
        using var content = new FileArtifactStore([below ?? root]).OpenRead(FileArtifactStore.GetStorageUri(path));
        return content is null ? null : new StreamReader(content).ReadToEnd();
    }

    private static FileDeletionOutcome Outcome(FileArtifactStore store, string path) => store.Delete(FileArtifactStore.GetStorageUri(path)).Outcome;

    private static ExpiredArtifact Expired(string storageUri) =>
        new() { Id = Guid.NewGuid(), SessionId = Guid.NewGuid(), StorageUri = storageUri, SizeBytes = 1, RetentionUntil = DateTimeOffset.UnixEpoch };

    private static void WriteFiles(string folder, IEnumerable<string> files)
    {
        foreach (var file in files.Select(file => Path.Combine(folder, file)))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, "picture");
        }
    }

    private static IEnumerable<string> FilesIn(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file));
}

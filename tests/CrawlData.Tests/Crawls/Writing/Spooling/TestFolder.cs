namespace CrawlData.Tests.Crawls;

/// <summary>A folder of a test, which is deleted with all that is beside it.</summary>
internal sealed class TestFolder : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("crawldata-spool-");
    private int copies;

    public string Path => System.IO.Path.Combine(root.FullName, "spool");

    public string[] Files => Directory.Exists(Path) ? [.. Directory.GetFiles(Path, "*.spool").Order(StringComparer.Ordinal)] : [];

    /// <summary>Copies the spool as a crash would leave it at this moment.</summary>
    /// <returns>The folder of the copy.</returns>
    public string Crash()
    {
        var copy = Directory.CreateDirectory(System.IO.Path.Combine(root.FullName, $"copy{++copies}"));
        foreach (var path in Files)
        {
            using var source = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var target = File.Create(System.IO.Path.Combine(copy.FullName, System.IO.Path.GetFileName(path)));
            source.CopyTo(target);
        }

        return copy.FullName;
    }

    public void Dispose() => root.Delete(recursive: true);
}

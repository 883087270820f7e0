namespace CrawlData.Tests.Cli;

/// <summary>A fixture that runs the tool against its database.</summary>
public abstract class ToolTest : DatabaseTest
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("crawldata-");

    private protected Task<ToolResult> RunAsync(params string[] arguments) => Tool.RunAsync(Database.ConnectionString, arguments);

    private protected Task<ToolResult> RunWithInputAsync(string input, params string[] arguments) => Tool.RunAsync(Database.ConnectionString, input, arguments);

    private protected static void AssertDone(ToolResult result) =>
        Assert.That((result.ExitCode, result.Error), Is.EqualTo((0, "")));

    private protected static void AssertFailed(ToolResult result, int exitCode, string error) =>
        Assert.That((result.ExitCode, result.Error.ReplaceLineEndings("\n"), result.Output), Is.EqualTo((exitCode, error + "\n", "")));

    /// <summary>Makes a path in a new folder, which is deleted with the fixture.</summary>
    protected string TemporaryFile(string name) =>
        Path.Combine(Directory.CreateDirectory(Path.Combine(folder.FullName, Path.GetRandomFileName())).FullName, name);

    [OneTimeTearDown]
    public void DeleteTemporaryFiles() => folder.Delete(recursive: true);
}

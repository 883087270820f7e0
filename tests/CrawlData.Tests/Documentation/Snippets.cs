using System.Text.RegularExpressions;

namespace CrawlData.Tests.Documentation;

/// <summary>The C# of the pages: regions of test sources, from <c>// snippet: name</c> to <c>// end snippet</c>. Regions with the same name are
/// joined.</summary>
internal static partial class Snippets
{
    /// <summary>Gets the repository's folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Gets the paths of the pages that may show snippets, relative to <see cref="Root"/>.</summary>
    public static IEnumerable<string> Pages { get; } =
    [
        "README.md", "CONTRIBUTING.md", "src/CrawlData.Dashboard/README.md", "src/CrawlData.Diagnostics/README.md", "src/CrawlData.Testing/README.md",
        .. Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md").Select(file => Path.GetRelativePath(Root, file)).Order(StringComparer.Ordinal),
    ];

    /// <summary>Gets the code of each snippet by its name, without the region's indentation.</summary>
    public static IReadOnlyDictionary<string, string> All { get; } = Directory
        .EnumerateFiles(Path.Combine(Root, "tests"), "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        .SelectMany(file => Region().Matches(File.ReadAllText(file)))
        .GroupBy(
            region => region.Groups["name"].Value,
            region => region.Groups["code"].Value.Replace($"\n{region.Groups["indent"].Value}", "\n", StringComparison.Ordinal))
        .ToDictionary(regions => regions.Key, regions => string.Join("\n\n", regions.Select(code => code.Trim('\n'))));

    /// <summary>Returns the names of the snippets that a page shows.</summary>
    public static IEnumerable<string> NamesIn(string text) => Block().Matches(text).Select(block => block.Groups["name"].Value);

    /// <summary>Returns a page's text with the code of its snippets as the sources have it.</summary>
    public static string Generate(string text) =>
        Block().Replace(text, block => $"<!-- snippet: {block.Groups["name"].Value} -->\n```csharp\n{All[block.Groups["name"].Value]}\n```\n");

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "CrawlData.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("These tests read the repository that they are built in.");
        }

        return folder.FullName;
    }

    [GeneratedRegex(@"^(?<indent> *)// snippet: (?<name>\S+)(?<code>\n.*?)^ *// end snippet$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Region();

    [GeneratedRegex(@"^<!-- snippet: (?<name>\S+) -->\n```csharp\n.*?^```\n", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}

namespace CrawlData.Tests;

/// <summary>What the README shows.</summary>
internal static class Readme
{
    /// <summary>The lines of a block, trimmed, without empty ones.</summary>
    /// <param name="language">Which blocks.</param>
    /// <param name="index">Which of them.</param>
    public static List<string> Block(string language, int index) => Between(Resource("README.md"), $"```{language}", "```", index);

    /// <summary>All blocks of a language, without what only a program of its own has: using directives, and the connection string.</summary>
    public static IEnumerable<List<string>> Blocks(string language) =>
        Resource("README.md").Split($"\n```{language}\n").Skip(1).Select(block => Lines(block[..block.IndexOf("\n```", StringComparison.Ordinal)]));

    /// <summary>What stands in a test's source between a comment that names the README and the next that does.</summary>
    public static IEnumerable<List<string>> Regions(string source) =>
        Resource(source).Split("// README ").Skip(1).Where((_, index) => index % 2 == 0).Select(region => Lines(region[(region.IndexOf('\n', StringComparison.Ordinal) + 1)..]));

    private static List<string> Lines(string text) =>
    [
        .. text.Split('\n').Select(line => line.Trim()).Where(line =>
            line.Length > 0 && !(line.StartsWith("using ", StringComparison.Ordinal) && line.EndsWith(';') && !line.Contains('=', StringComparison.Ordinal))
            && !line.StartsWith("var connectionString ", StringComparison.Ordinal)),
    ];

    public static List<string> Between(string text, string start, string end, int skip = 0)
    {
        var lines = text.Split('\n').Select(line => line.Trim());
        for (var block = 0; block <= skip; block++)
        {
            lines = lines.SkipWhile(line => line != start).Skip(1);
        }

        return lines.TakeWhile(line => line != end).Where(line => line.Length > 0).ToList();
    }

    public static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(Readme).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}

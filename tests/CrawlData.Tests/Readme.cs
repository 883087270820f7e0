namespace CrawlData.Tests;

/// <summary>What the README shows.</summary>
internal static class Readme
{
    /// <summary>The lines of a block, trimmed, without empty ones.</summary>
    /// <param name="language">Which blocks.</param>
    /// <param name="index">Which of them.</param>
    public static List<string> Block(string language, int index) => Between(Resource("README.md"), $"```{language}", "```", index);

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

namespace CrawlData.Packages.Tests;

/// <summary>What the README shows.</summary>
internal static class Readme
{
    /// <summary>The C# under a heading, in its order.</summary>
    public static IReadOnlyList<string> CSharpUnder(string heading)
    {
        var lines = File.ReadLines(Path.Combine(Packed.Sources, "README.md")).SkipWhile(line => line.TrimStart('#', ' ') != heading || line[0] != '#').Skip(1);
        var blocks = new List<string>();
        List<string>? block = null;
        foreach (var line in lines)
        {
            if (block is null && line.StartsWith('#'))
            {
                break;
            }

            if (line == "```csharp")
            {
                block = [];
            }
            else if (line == "```" && block is not null)
            {
                blocks.Add(string.Join('\n', block));
                block = null;
            }
            else
            {
                block?.Add(line);
            }
        }

        return blocks;
    }

    /// <summary>Its using directives, and the rest.</summary>
    public static (string Usings, string Statements) Split(string code)
    {
        var lines = code.Split('\n').ToLookup(line => line.StartsWith("using ", StringComparison.Ordinal) && line.EndsWith(';') && !line.Contains('='));
        return (string.Join('\n', lines[true]), string.Join('\n', lines[false]));
    }
}


namespace CrawlData.Cli;

/// <summary>Labels and texts about one row. A long text continues below its beginning.</summary>
internal sealed class Facts
{
    private const int Gap = 2;
    private const int LinesOfText = 40;

    private readonly List<(string Label, string Text)> facts = [];

    /// <summary>Adds a fact, unless its text is null.</summary>
    public void Add(string label, string? text)
    {
        if (text is not null)
        {
            facts.Add((label, text.Printable()));
        }
    }

    /// <summary>Writes the facts.</summary>
    public void Show()
    {
        var indent = facts.Max(fact => fact.Label.Length) + Gap;
        foreach (var (label, text) in facts)
        {
            var start = label.PadRight(indent);
            foreach (var line in TextTable.Fold(text, Terminal.Width - indent, LinesOfText).DefaultIfEmpty(""))
            {
                Terminal.WriteLine(start + line);
                start = new string(' ', indent);
            }
        }
    }
}

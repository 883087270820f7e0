using System.Text.RegularExpressions;

namespace CrawlData.Cli;

/// <summary>Help texts, written in the source as paragraphs of short lines.</summary>
internal static partial class HelpText
{
    /// <summary>Joins the lines of each paragraph into one, which the help wraps to the terminal's width. Indented lines, such as examples, stay as they
    /// are.</summary>
    public static string JoinLines(string text) => LineEndInParagraph().Replace(text.ReplaceLineEndings("\n"), " ");

    [GeneratedRegex(@"(?<=\S)\n(?=\S)")]
    private static partial Regex LineEndInParagraph();
}

namespace CrawlData.Cli;

/// <summary>Help texts, written in the source as paragraphs of short lines.</summary>
internal static class HelpText
{
    /// <summary>Joins the lines of each paragraph into one, which the help wraps to the terminal's width. Indented lines, such as examples, stay as they
    /// are.</summary>
    public static string JoinLines(string text)
    {
        var joined = text.ReplaceLineEndings("\n").ToCharArray();
        for (var index = 1; index < joined.Length - 1; index++)
        {
            if (joined[index] == '\n' && !char.IsWhiteSpace(joined[index - 1]) && !char.IsWhiteSpace(joined[index + 1]))
            {
                joined[index] = ' ';
            }
        }

        return new string(joined);
    }
}

using Spectre.Console;
using Spectre.Console.Rendering;

namespace CrawlData.Cli;

/// <summary>A table that hides no column. A text that does not fit beside the others continues on lines of its own below its row.</summary>
/// <remarks>Spectre.Console measures and folds the texts. Its own table cuts or drops what does not fit, and no cell of it spans columns.</remarks>
internal sealed class TextTable
{
    private const int Indent = 2;
    private const int Gap = 2;
    private const int LeastFlexible = 12;

    // A text that is longer than so many lines is cut. The commands that show one row take more.
    private const int LinesOfText = 4;

    private readonly string[] headers;
    private readonly int flexible;
    private readonly List<Row> rows = [];
    private DateOnly? date;

    /// <param name="flexible">The column with long texts.</param>
    /// <param name="headers">The headers of all columns. A column whose header and cells are padded on the left is aligned to the right.</param>
    public TextTable(string flexible, params IEnumerable<string> headers)
    {
        this.headers = [.. headers];
        this.flexible = Array.IndexOf(this.headers, flexible);
    }

    /// <summary>Gets the number of rows.</summary>
    public int Count => rows.Count(row => row.Cells.Length > 0);

    /// <summary>Adds a row.</summary>
    public void AddCells(params IEnumerable<string> cells) => rows.Add(new Row([.. cells.Select(ToLine)], []));

    /// <summary>Adds a row, and texts that stand on lines of their own below it. Texts that are null are left out.</summary>
    public void AddCells(IEnumerable<string> cells, params IEnumerable<string?> below) =>
        rows.Add(new Row([.. cells.Select(ToLine)], [.. below.OfType<string>().Select(ToLine)]));

    /// <summary>Adds a row whose text goes on with a rest, which stands below the row when both do not fit.</summary>
    public void AddCellsAndRest(string rest, params IEnumerable<string> cells) => rows.Add(new Row([.. cells.Select(ToLine)], [], ToLine(rest)));

    /// <summary>Adds a line with the date, in UTC, of the rows that follow, where it is another than before.</summary>
    public void AddDate(DateTimeOffset time)
    {
        var day = DateOnly.FromDateTime(time.UtcDateTime);
        if (day != date)
        {
            rows.Add(new Row([], [$"{day:yyyy-MM-dd} UTC"]));
            date = day;
        }
    }

    /// <summary>Writes the table or, when it has no rows, a message.</summary>
    public void Show(string emptyMessage = "")
    {
        if (Count == 0)
        {
            Terminal.WriteLine(emptyMessage);
            return;
        }

        foreach (var (text, isHeader) in ToLines(Terminal.Width))
        {
            Terminal.WriteLine(text, isHeader);
        }
    }

    /// <summary>Lays out the table.</summary>
    public IEnumerable<(string Text, bool IsHeader)> ToLines(int width)
    {
        var widths = headers.Select((header, column) => rows.Where(row => row.Cells.Length > 0)
            .Select(row => row.Cells[column].GetCellWidth()).Append(header.GetCellWidth()).Max()).ToArray();
        var others = widths.Where((_, column) => column != flexible).Sum() + (Gap * (headers.Length - 1));
        var room = width - others;
        var isBeside = room >= Math.Min(LeastFlexible, widths[flexible]);
        if (widths[flexible] > room)
        {
            // The widest text that fits beside the other cells.
            widths[flexible] = rows.Where(row => row.Cells.Length > 0).Select(row => row.Cells[flexible].GetCellWidth())
                .Where(wide => isBeside && wide <= room).Append(isBeside ? headers[flexible].GetCellWidth() : 0).Max();
        }

        yield return (Join(headers.Select((header, column) => column == flexible && !isBeside ? "" : header), widths), true);
        foreach (var row in rows)
        {
            if (row.Cells.Length == 0)
            {
                yield return (row.Below[0], true);
                continue;
            }

            var below = row.Below;
            var isLong = row.Cells[flexible].GetCellWidth() > widths[flexible];
            if (row.Rest is { } rest)
            {
                var isLast = flexible == headers.Length - 1 && isBeside;
                var both = $"{row.Cells[flexible]} {rest}";
                if (isLast && both.GetCellWidth() <= room)
                {
                    yield return (Join(row.Cells.Select((cell, column) => column == flexible ? both : cell), widths), false);
                    continue;
                }

                below = [isLong ? both : rest];
            }

            yield return (Join(row.Cells.Select((cell, column) => column == flexible && isLong ? "" : cell), widths), false);
            foreach (var text in isLong && row.Rest is null ? below.Prepend(row.Cells[flexible]) : below)
            {
                foreach (var line in Fold(text, width - Indent, LinesOfText))
                {
                    yield return (new string(' ', Indent) + line, false);
                }
            }
        }
    }

    /// <summary>Lays out a row whose text follows its other cells, or stands on lines of its own below them.</summary>
    public static IEnumerable<string> ToLines(string start, string text, int width)
    {
        (start, text) = (start.Printable(), text.Printable());
        return start.GetCellWidth() + Gap + text.GetCellWidth() <= width
            ? [$"{start}{new string(' ', Gap)}{text}"]
            : Fold(text, width - Indent, LinesOfText).Select(line => new string(' ', Indent) + line).Prepend(start);
    }

    /// <summary>Folds a text into lines. What is beyond the last line is counted.</summary>
    public static IEnumerable<string> Fold(string text, int width, int mostLines)
    {
        width = Math.Max(width, LeastFlexible);
        var kept = text.Length <= width * mostLines && text.GetCellWidth() <= width * mostLines ? text : Cut(text, width * mostLines);
        return Segment.SplitOverflow(new Segment(kept), Overflow.Fold, width).Select(segment => segment.Text);
    }

    // Every rune has one or two cells, so the part before the cut has enough of them for measuring.
    private static string Cut(string text, int cells)
    {
        var note = $"… {text.Length:N0} characters in all";
        var start = Segment.Truncate(new Segment(text[..Math.Min(text.Length, cells)]), cells - note.Length)?.Text ?? "";
        return start + note;
    }

    private static string ToLine(string text) => text.Printable();

    private static string Join(IEnumerable<string> cells, int[] widths) =>
        string.Join(new string(' ', Gap), cells.Select((cell, column) => cell + new string(' ', Math.Max(0, widths[column] - cell.GetCellWidth())))).TrimEnd();

    private sealed record Row(string[] Cells, string[] Below, string? Rest = null);
}

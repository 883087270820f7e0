namespace CrawlData.Cli;

/// <summary>Writes rows as lines of text, under a line for each date.</summary>
internal sealed class DatedLines
{
    private DateOnly? date;

    /// <summary>Writes a row.</summary>
    /// <param name="at">The row's time.</param>
    /// <param name="start">What the first line begins with.</param>
    /// <param name="rest">What follows, on as many lines as it takes.</param>
    public void Write(DateTimeOffset at, string start, string rest)
    {
        var day = DateOnly.FromDateTime(at.UtcDateTime);
        if (day != date)
        {
            Terminal.WriteLine($"{day:yyyy-MM-dd} UTC", isHeader: true);
            date = day;
        }

        foreach (var line in TextTable.ToLines(start, rest, Terminal.Width))
        {
            Terminal.WriteLine(line);
        }
    }
}

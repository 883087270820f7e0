using System.CommandLine;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata stats</c>: counts a run's events.</summary>
internal sealed class StatsCommand : ToolCommand
{
    public const string CommandName = "stats";

    public const string Summary = "Counts all events of a run by type, with their rate.";

    private readonly Argument<IdText> crawl = CommandParameters.Crawl("RUN");

    private readonly OutputFormat format = new("one JSON object");

    public StatsCommand() : base(CommandName, Summary, "It reads all events of the run, in steps.")
    {
        Add(crawl);
        format.AddTo(this);
        SetAction(RunAsync);
    }

    /// <summary>Makes the table of counts by type, the largest first.</summary>
    /// <param name="summary">The counts.</param>
    /// <param name="mostTypes">The most types; the others are summed in one row.</param>
    public static TextTable ToTable(CrawlEventSummary summary, int mostTypes = int.MaxValue)
    {
        var table = Terminal.Table(flexible: "event type", "event type", $"{"events",12}", $"{"share",7}");
        var types = summary.CountByType.OrderByDescending(type => type.Value).ThenBy(type => type.Key, StringComparer.Ordinal).ToList();
        foreach (var (type, count) in types.Take(mostTypes))
        {
            Add(type, count);
        }

        if (types.Count > mostTypes)
        {
            Add($"{Terminal.Count(types.Count - mostTypes, "other type")}", types.Skip(mostTypes).Sum(type => type.Value));
        }

        return table;

        void Add(string type, long count) => table.AddCells(type, $"{count,12:N0}", $"{100.0 * count / summary.Count,5:N1} %");
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var events = new CrawlEventRepository(dataSource);
        var crawlId = await arguments.GetRequiredValue(crawl).ToCrawlIdAsync(dataSource, cancellationToken);
        CrawlEventSummary? summary = null;
        do
        {
            summary = await events.SummarizeAsync(crawlId, summary, cancellationToken: cancellationToken);
        }
        while (!summary.IsComplete);

        if (summary.Count == 0 && await new CrawlRunRepository(dataSource).GetAsync(crawlId, cancellationToken: cancellationToken) is null)
        {
            throw new UnknownIdException("crawl", crawlId);
        }

        if (!format.IsTable(arguments))
        {
            await using var rows = new RowWriter();
            await rows.WriteAsync(summary, cancellationToken);
            return;
        }

        ToTable(summary).Show("No events.");
        if (summary is { FirstCreatedAt: { } first, LastCreatedAt: { } last })
        {
            var minutes = (last - first).TotalMinutes;
            Terminal.WriteLine("");
            Terminal.WriteLine($"{Terminal.Count(summary.Count, "event")} from {Terminal.FormatFull(first)}");
            var rate = summary.Count < minutes ? "less than 1" : $"{summary.Count / minutes:N0}";
            Terminal.WriteLine($"to {Terminal.FormatFull(last)}{(minutes > 0 ? $": {rate} a minute" : "")}");
        }
    }
}

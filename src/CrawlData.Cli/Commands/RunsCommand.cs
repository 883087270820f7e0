using System.CommandLine;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata runs</c>: lists runs.</summary>
internal sealed class RunsCommand : ToolCommand
{
    private const int DefaultRows = 20;

    private static readonly Listing<CrawlRun> Listing = new()
    {
        DefaultRows = DefaultRows,
        Table = () => Terminal.Table(flexible: "app", "id", "status", "created (UTC)", "app"),
        Cells = run => [$"{run.Id}", run.Status.ToLabel(), Terminal.Format(run.CreatedAt), run.AppPackage],
        EmptyMessage = "No runs.",
        MoreMessage = _ => $"These are the first {DefaultRows} runs. --limit N shows more; --json writes all as NDJSON.",
    };

    private readonly Option<CrawlStatus[]> statuses = CommandParameters.Labels<CrawlStatus>("--status", "STATUS", "Only runs in this status");

    private readonly Option<string?> app = new("--app") { Description = "Only runs of this app package. It is matched exactly.", HelpName = "PACKAGE" };

    private readonly Option<DateTimeOffset?> since = CommandParameters.Time("--since", "Only runs created at this time or later");

    private readonly Option<DateTimeOffset?> until = CommandParameters.Time("--until", "Only runs created before this time");

    private readonly Option<bool> oldestFirst = new("--oldest-first") { Description = "List the oldest first. The default is newest first." };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most runs to list. The default is {DefaultRows} on a terminal, and all otherwise.");

    private readonly Option<bool> json = CommandParameters.Json();

    public RunsCommand() : base("runs", "Lists crawl runs, newest first.")
    {
        Add(statuses);
        Add(app);
        Add(since);
        Add(until);
        Add(oldestFirst);
        Add(limit);
        Add(json);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var runs = new CrawlRunRepository(dataSource, logger: PassedOverRowsLog.For<CrawlRunRepository>());
        var order = arguments.GetValue(oldestFirst) ? ListOrder.OldestFirst : ListOrder.NewestFirst;
        var filter = new CrawlRunFilter
        {
            Statuses = arguments.GetValues(statuses),
            AppPackage = arguments.GetValue(app),
            CreatedFrom = arguments.GetValue(since),
            CreatedBefore = arguments.GetValue(until),
        };
        await Listing.WriteAsync(
            Terminal.WritesTable(arguments, json),
            arguments.GetValue(limit),
            max => Pages.ReadAsync<CrawlRun>(
                (size, cursor, token) => runs.ListAsync(filter, size, cursor, order, cancellationToken: token), max, CrawlRunRepository.MaxPageSize),
            cancellationToken);
    }
}

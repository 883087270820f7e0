using System.CommandLine;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata runs</c>: lists runs.</summary>
internal sealed class RunsCommand : ToolCommand
{
    private const int ShownUnasked = 20;

    private static readonly Listing<CrawlRun> Listing = new()
    {
        ShownUnasked = ShownUnasked,
        Table = () => Terminal.Table(flexible: "app", "id", "status", "created (UTC)", "app"),
        Cells = run => [$"{run.Id}", run.Status.ToLabel(), Terminal.Format(run.CreatedAt), run.AppPackage],
        WhenEmpty = "No runs.",
        WhenMore = _ => $"The first {ShownUnasked} runs. More: --limit N. All, as NDJSON: --json.",
    };

    private readonly Option<CrawlStatus[]> statuses = CommandParameters.Labels<CrawlStatus>("--status", "STATUS", "Only runs in this status");

    private readonly Option<string?> app = new("--app") { Description = "Only runs of this app package, exactly.", HelpName = "PACKAGE" };

    private readonly Option<DateTimeOffset?> since = CommandParameters.Time("--since", "Only runs created at this time or later");

    private readonly Option<DateTimeOffset?> until = CommandParameters.Time("--until", "Only runs created before this time");

    private readonly Option<bool> oldestFirst = new("--oldest-first") { Description = "Oldest first; newest first unless given." };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most runs to list; on a terminal {ShownUnasked} unless given, otherwise all.");

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
        var runs = new CrawlRunRepository(dataSource);
        var order = arguments.GetValue(oldestFirst) ? ListOrder.OldestFirst : ListOrder.NewestFirst;
        var filter = new CrawlRunFilter
        {
            Statuses = arguments.GetGiven(statuses),
            AppPackage = arguments.GetValue(app),
            CreatedFrom = arguments.GetValue(since),
            CreatedBefore = arguments.GetValue(until),
        };
        await Listing.ShowAsync(
            Terminal.IsForPeople(arguments, json),
            arguments.GetValue(limit),
            most => Pages.ReadAsync<CrawlRun>(
                (size, cursor, token) => runs.ListAsync(filter, size, cursor, order, cancellationToken: token), most, CrawlRunRepository.MaxPageSize),
            cancellationToken);
    }
}

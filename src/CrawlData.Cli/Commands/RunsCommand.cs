using System.CommandLine;
using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata runs</c>: lists runs.</summary>
internal sealed class RunsCommand : ToolCommand
{
    public const string CommandName = "runs";

    public const string Summary = "Lists crawl runs, newest first.";

    private const int DefaultRows = 20;

    private readonly Option<CrawlStatus[]> statuses = CommandParameters.Labels<CrawlStatus>("--status", "STATUS", "Only runs in this status");

    private readonly Option<string?> app = new("--app") { Description = "Only runs of this app package. It is matched exactly.", HelpName = "PACKAGE" };

    private readonly Option<DateTimeOffset?> since = CommandParameters.Time("--since", "Only runs created at this time or later");

    private readonly Option<DateTimeOffset?> until = CommandParameters.Time("--until", "Only runs created before this time");

    private readonly Option<TimeSpan?> stale = CommandParameters.Stale(
        "Only runs that are RUNNING, and had no start, event or heartbeat for so long. Oldest first, and without other filters.");

    private readonly Option<bool> oldestFirst = new("--oldest-first") { Description = "List the oldest first. The default is newest first." };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most runs to list. The default is {DefaultRows} on a terminal, and all otherwise.");

    private readonly OutputFormat format = new();

    public RunsCommand() : base(CommandName, Summary, """
        With --stale, the times of events are those that their writers set: a writer's clock may be wrong.

          crawldata runs --stale 10m              which are stuck?
        """)
    {
        Add(statuses);
        Add(app);
        Add(since);
        Add(until);
        Add(stale);
        Add(oldestFirst);
        Add(limit);
        format.AddTo(this);
        CommandParameters.Exclude(this, stale, statuses, app, since, until, oldestFirst);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var runs = new CrawlRunRepository(dataSource, logger: PassedOverRowsLog.For<CrawlRunRepository>());
        var queue = new CrawlRunQueue(dataSource, PassedOverRowsLog.For<CrawlRunQueue>());
        var order = arguments.GetValue(oldestFirst) ? ListOrder.OldestFirst : ListOrder.NewestFirst;
        var filter = new CrawlRunFilter
        {
            Statuses = arguments.GetValues(statuses),
            AppPackage = arguments.GetValue(app),
            CreatedFrom = arguments.GetValue(since),
            CreatedBefore = arguments.GetValue(until),
        };
        var listing = new Listing<CrawlRun>
        {
            DefaultRows = DefaultRows,
            Table = rows => ToTableAsync(dataSource, rows, cancellationToken),
            EmptyMessage = "No runs.",
            MoreMessage = _ => $"These are the first {DefaultRows} runs. --limit N shows more; --json writes all as NDJSON.",
        };
        await listing.WriteAsync(
            format.IsTable(arguments),
            arguments.GetValue(limit),
            max => arguments.GetValue(stale) is { } silentFor
                ? Pages.ReadAsync(queue.ListSilentAsync(silentFor, max ?? int.MaxValue, cancellationToken: cancellationToken))
                : Pages.ReadAsync<CrawlRun>(
                    (size, cursor, token) => runs.ListAsync(filter, size, cursor, order, cancellationToken: token), max, CrawlRunRepository.MaxPageSize),
            cancellationToken);
    }

    private static async Task<TextTable> ToTableAsync(NpgsqlDataSource dataSource, IReadOnlyList<CrawlRun> rows, CancellationToken cancellationToken)
    {
        var ids = rows.Select(run => run.Id).ToList();
        var shown = await ShownIds.OfAsync(ids, all => new CrawlRunRepository(dataSource).ShortenIdsAsync(all, cancellationToken: cancellationToken));

        // A crawl is alive while it has new events, whatever its status is.
        var unfinished = rows.Where(run => run.Status is CrawlStatus.Pending or CrawlStatus.Running).Select(run => run.Id);
        var last = await new CrawlEventRepository(dataSource).GetLastOfEachAsync(unfinished, cancellationToken: cancellationToken);
        var table = Terminal.Table(flexible: "app", "id", "status", "created", "took", "last event", "app");
        foreach (var run in rows)
        {
            table.AddDate(run.CreatedAt);
            string[] cells =
            [
                shown(run.Id),
                run.Status.ToLabel(),
                Terminal.FormatTime(run.CreatedAt),
                run.StartedAt is { } started && (run.CompletedAt ?? run.CancelledAt) is { } ended ? Terminal.FormatAge(ended - started) : "",
                last.TryGetValue(run.Id, out var lastEvent) ? $"{Terminal.FormatAge(lastEvent.Age)} ago" : "",
                run.AppPackage,
            ];
            table.AddCells(cells, run.ErrorMessage is { } error ? $"error: {error}" : null);
        }

        return table;
    }
}

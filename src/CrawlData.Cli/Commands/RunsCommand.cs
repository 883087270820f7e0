using System.CommandLine;
using System.Runtime.CompilerServices;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata runs</c>: lists runs.</summary>
internal sealed class RunsCommand : ToolCommand
{
    private const int ShownUnasked = 20;

    private readonly Option<CrawlStatus[]> statuses = new("--status") { HelpName = "STATUS" };

    private readonly Option<string?> app = new("--app") { Description = "Only runs of this app package, exactly.", HelpName = "PACKAGE" };

    private readonly Option<DateTimeOffset?> since = CommandParameters.Time("--since", "Only runs created at this time or later");

    private readonly Option<DateTimeOffset?> until = CommandParameters.Time("--until", "Only runs created before this time");

    private readonly Option<int?> limit = CommandParameters.Limit($"The most runs to list; on a terminal {ShownUnasked} unless given, otherwise all.");

    private readonly Option<bool> json = CommandParameters.Json();

    public RunsCommand() : base("runs", "Lists crawl runs, newest first.")
    {
        var names = string.Join(", ", Enum.GetNames<CrawlStatus>()).ToUpperInvariant();
        statuses.Description = $"Only runs in this status, one of {names}; may be given several times.";
        statuses.CustomParser = result => CommandParameters.ParseAll(
            result, "--status", $"one of {names}", (string token, out CrawlStatus status) => Enum.TryParse(token, ignoreCase: true, out status) && token.All(char.IsLetter));
        Add(statuses);
        Add(app);
        Add(since);
        Add(until);
        Add(limit);
        Add(json);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var filter = new CrawlRunFilter
        {
            Statuses = arguments.GetResult(statuses) is null ? null : arguments.GetValue(statuses),
            AppPackage = arguments.GetValue(app),
            CreatedFrom = arguments.GetValue(since),
            CreatedBefore = arguments.GetValue(until),
        };
        var runs = new CrawlRunRepository(dataSource);
        var most = arguments.GetValue(limit);
        if (!Terminal.IsForPeople(arguments, json))
        {
            await using var rows = new RowWriter();
            await foreach (var run in ListAsync(runs, filter, most ?? int.MaxValue, cancellationToken))
            {
                await rows.WriteAsync(run, cancellationToken);
            }

            return;
        }

        var table = Terminal.Table(flexible: "app", "id", "status", "created (UTC)", "app");
        var more = false;

        // One more than is shown, to know whether there are more.
        await foreach (var run in ListAsync(runs, filter, most ?? ShownUnasked + 1, cancellationToken))
        {
            if (most is null && table.Rows.Count == ShownUnasked)
            {
                more = true;
                break;
            }

            table.AddCells($"{run.Id}", $"{run.Status}".ToUpperInvariant(), Terminal.Format(run.CreatedAt), run.AppPackage);
        }

        table.Show("No runs.");
        if (more)
        {
            Console.WriteLine($"The newest {ShownUnasked} runs. More: --limit N. All, as NDJSON: --json.");
        }
    }

    private static async IAsyncEnumerable<CrawlRun> ListAsync(
        CrawlRunRepository runs, CrawlRunFilter filter, int limit, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var page = new Page<CrawlRun> { Items = [] };
        do
        {
            page = await runs.ListAsync(filter, Math.Min(limit, CrawlRunRepository.LargestPageSize), page.NextCursor, cancellationToken: cancellationToken);
            foreach (var run in page.Items)
            {
                yield return run;
            }

            limit -= page.Items.Count;
        }
        while (limit > 0 && page.NextCursor is not null);
    }
}

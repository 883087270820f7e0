using System.CommandLine;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata events</c>: reads a crawl's events.</summary>
internal sealed class EventsCommand : ToolCommand
{
    private const int ShownUnasked = 100;

    private readonly Argument<Guid> crawl = CommandParameters.Crawl();

    private readonly Option<long?> after = CommandParameters.Optional<long>("--after", "ID", "Only events after this one: the last id seen, to go on reading.", "an event's id", CommandParameters.TryParseNumber);

    private readonly Option<string[]> types = new("--type") { Description = "Only events of this type, exactly; may be given several times.", HelpName = "TYPE" };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most events to read; all unless given, and in a table {ShownUnasked}.");

    private readonly Option<bool> json = CommandParameters.Json();

    public EventsCommand() : base("events", "Reads a crawl's events in order.")
    {
        Add(crawl);
        Add(after);
        Add(types);
        Add(limit);
        Add(json);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var crawlId = arguments.GetValue(crawl);
        var query = new CrawlEventQuery
        {
            AfterId = arguments.GetValue(after),
            EventTypes = arguments.GetResult(types) is null ? null : arguments.GetValue(types),
            Limit = arguments.GetValue(limit),
        };
        var any = Terminal.IsForPeople(arguments, json)
            ? await ShowAsync(new CrawlEventRepository(dataSource), crawlId, query, cancellationToken)
            : await WriteAsync(new CrawlEventRepository(dataSource), crawlId, query, cancellationToken);
        if (!any && await new CrawlRunRepository(dataSource).GetAsync(crawlId, cancellationToken: cancellationToken) is null)
        {
            throw new RowNotFoundException("crawl_runs", [crawlId]);
        }
    }

    private static async Task<bool> WriteAsync(CrawlEventRepository events, Guid crawlId, CrawlEventQuery query, CancellationToken cancellationToken)
    {
        var any = false;
        await using var rows = new RowWriter();
        await foreach (var crawlEvent in events.StreamAsync(crawlId, query, cancellationToken))
        {
            any = true;
            await rows.WriteAsync(crawlEvent, cancellationToken);
        }

        return any;
    }

    private static async Task<bool> ShowAsync(CrawlEventRepository events, Guid crawlId, CrawlEventQuery query, CancellationToken cancellationToken)
    {
        // One more than is shown, to know whether there are more.
        var read = await events.ListAsync(crawlId, query with { Limit = query.Limit ?? ShownUnasked + 1 }, cancellationToken: cancellationToken);
        var shown = query.Limit is null ? [.. read.Take(ShownUnasked)] : read;
        var table = Terminal.Table(flexible: "payload", "id", "at (UTC)", "type", "payload");
        foreach (var crawlEvent in shown)
        {
            table.AddCells($"{crawlEvent.Id}", $"{crawlEvent.CreatedAt:HH:mm:ss.fff}", crawlEvent.EventType, $"{crawlEvent.Payload}");
        }

        table.Show("No events.");
        if (shown.Count < read.Count)
        {
            Console.WriteLine($"The first {ShownUnasked} events. The next: --after {shown[^1].Id}. More: --limit N. All, as NDJSON: --json.");
        }

        return shown.Count > 0;
    }
}

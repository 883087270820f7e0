using System.CommandLine;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata events</c>: reads a crawl's events.</summary>
internal sealed class EventsCommand : ToolCommand
{
    private const int DefaultRows = 100;

    private static readonly Listing<CrawlEvent> Listing = new()
    {
        DefaultRows = DefaultRows,
        Table = () => Terminal.Table(flexible: "payload", "id", "at (UTC)", "type", "payload"),
        Cells = crawlEvent => [$"{crawlEvent.Id}", $"{crawlEvent.CreatedAt:HH:mm:ss.fff}", crawlEvent.EventType, $"{crawlEvent.Payload}"],
        EmptyMessage = "No events.",
        MoreMessage = last => $"These are the first {DefaultRows} events. --after {last.Id} shows the next; --limit N shows more; --json writes all as NDJSON.",
    };

    private readonly Argument<Guid> crawl = CommandParameters.Crawl();

    private readonly Option<long?> after = CommandParameters.After();

    private readonly Option<string[]> types = new("--type")
    {
        Description = "Only events of this type. It is matched exactly. May be given several times.",
        HelpName = "TYPE",
    };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most events to read. The default is {DefaultRows} on a terminal, and all otherwise.");

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
        var events = new CrawlEventRepository(dataSource, logger: PassedOverRowsLog.For<CrawlEventRepository>());
        var crawlId = arguments.GetValue(crawl);
        var query = new CrawlEventFilter
        {
            AfterId = arguments.GetValue(after),
            EventTypes = arguments.GetValues(types),
        };
        var any = await Listing.WriteAsync(
            Terminal.WritesTable(arguments, json),
            arguments.GetValue(limit),
            max => max is null
                ? events.StreamAsync(crawlId, query, cancellationToken: cancellationToken)
                : Pages.ReadAsync<CrawlEvent>(
                    (size, cursor, token) => events.ListAsync(crawlId, query, size, cursor, cancellationToken: token), max, CrawlEventRepository.MaxPageSize),
            cancellationToken);
        if (!any && await new CrawlRunRepository(dataSource).GetAsync(crawlId, cancellationToken: cancellationToken) is null)
        {
            throw new UnknownIdException("crawl", crawlId);
        }
    }
}

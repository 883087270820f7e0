using System.CommandLine;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata events</c>: reads a crawl's events.</summary>
internal sealed class EventsCommand : ToolCommand
{
    public const string CommandName = "events";

    public const string Summary = "Reads a crawl's events in order.";

    private const int DefaultRows = 100;

    // The rows on each side of a time.
    private const int DefaultAround = 20;

    private readonly Argument<IdText> crawl = CommandParameters.Crawl();

    private readonly Option<long?> after = CommandParameters.After();

    private readonly Option<long?> before = CommandParameters.Optional<long>(
        "--before", "ID", "Only events before this id: the last of them, as many as the limit.", "an event's id", CommandParameters.TryParseNumber);

    private readonly Option<int?> last = CommandParameters.Positive("--last", "Only so many events, the last of the crawl.");

    private readonly Option<DateTimeOffset?> around = CommandParameters.Time(
        "--around", $"The events on both sides of this time, {DefaultAround} or half the limit on each");

    private readonly Option<string[]> types = CommandParameters.EventTypes();

    private readonly Option<int?> limit = CommandParameters.Limit($"The most events to read. The default is {DefaultRows} in a table, and all otherwise.");

    private readonly OutputFormat format = new();

    public EventsCommand() : base(CommandName, Summary, """
        With --last, --before or --around it reads only the events there, and none before them.

          crawldata events CRAWL --last 20
          crawldata events CRAWL --around 2026-11-23T08:30 --limit 50
        """)
    {
        Add(crawl);
        Add(after);
        Add(before);
        Add(last);
        Add(around);
        Add(types);
        Add(limit);
        format.AddTo(this);
        Validators.Add(result =>
        {
            Option[] places = [after, before, last, around];
            if (places.Count(place => result.GetResult(place) is not null) > 1)
            {
                result.AddError("--after, --before, --last and --around exclude each other");
            }

            if (result.GetResult(last) is not null && result.GetResult(limit) is not null)
            {
                result.AddError("--last and --limit exclude each other");
            }
        });
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var events = new CrawlEventRepository(dataSource, logger: PassedOverRowsLog.For<CrawlEventRepository>());
        var crawlId = await arguments.GetRequiredValue(crawl).ToCrawlIdAsync(dataSource, cancellationToken);
        var asTable = format.IsTable(arguments);
        var (filter, most) = await ToPlaceAsync(
            events, crawlId, new CrawlEventFilter { AfterId = arguments.GetValue(after), EventTypes = arguments.GetValues(types) }, asTable, arguments,
            cancellationToken);
        var listing = new Listing<CrawlEvent>
        {
            DefaultRows = DefaultRows,
            Table = rows => Task.FromResult(ToTable(rows)),
            EmptyMessage = "No events.",
            MoreMessage = shown => $"These are the first {DefaultRows} events. --after {shown.Id} shows the next, --last N the last; --json writes all.",
        };
        var any = await listing.WriteAsync(
            asTable,
            most,
            max => max is null
                ? events.StreamAsync(crawlId, filter, cancellationToken: cancellationToken)
                : Pages.ReadAsync<CrawlEvent>(
                    (size, cursor, token) => events.ListAsync(crawlId, filter, size, cursor, cancellationToken: token), max, CrawlEventRepository.MaxPageSize),
            cancellationToken);
        if (!any && await new CrawlRunRepository(dataSource).GetAsync(crawlId, cancellationToken: cancellationToken) is null)
        {
            throw new UnknownIdException("crawl", crawlId);
        }
    }

    /// <summary>Narrows the filter to the events at the place that the options name.</summary>
    /// <returns>The filter, and the most events; no limit when null.</returns>
    private async Task<(CrawlEventFilter Filter, int? Most)> ToPlaceAsync(
        CrawlEventRepository events, Guid crawlId, CrawlEventFilter filter, bool asTable, ParseResult arguments, CancellationToken cancellationToken)
    {
        var most = arguments.GetValue(limit);
        if (arguments.GetValue(around) is { } time)
        {
            var side = most is { } both ? both / 2 : DefaultAround;
            if (await events.GetFirstAtAsync(crawlId, time, cancellationToken: cancellationToken) is not { } first)
            {
                return await ToLastAsync(filter, side);
            }

            // The events before it, and it with the events after it.
            var (earlier, _) = await ToLastAsync(filter with { UpToId = first.Id - 1 }, side);
            var before = await events.CountAsync(crawlId, earlier, cancellationToken: cancellationToken);
            return (filter with { AfterId = before == 0 ? first.Id - 1 : earlier.AfterId }, (int)before + Math.Max((most ?? (2 * side)) - side, 1));
        }

        if (arguments.GetValue(before) is { } beforeId)
        {
            filter = filter with { UpToId = beforeId == long.MinValue ? beforeId : beforeId - 1 };
            most ??= asTable ? DefaultRows : null;
            return most is { } count ? await ToLastAsync(filter, count) : (filter, most);
        }

        return arguments.GetValue(last) is { } wanted ? await ToLastAsync(filter, wanted) : (filter, most);

        // Events that are appended meanwhile are left out.
        async Task<(CrawlEventFilter Filter, int? Most)> ToLastAsync(CrawlEventFilter within, int count)
        {
            var ids = await Pages.ReadAsync<CrawlEvent>(
                (size, cursor, token) => events.ListNewestAsync(crawlId, within, size, cursor, cancellationToken: token),
                count,
                CrawlEventRepository.MaxPageSize,
                cancellationToken).Select(one => one.Id).ToListAsync(cancellationToken);
            return ids.Count == 0
                ? (within with { AfterId = long.MaxValue }, count)
                : (within with { AfterId = ids[^1] - 1, UpToId = ids[0] }, count);
        }
    }

    private static TextTable ToTable(IReadOnlyList<CrawlEvent> rows)
    {
        var table = Terminal.Table(flexible: "payload", "id", "at", "type", "payload");
        foreach (var crawlEvent in rows)
        {
            table.AddDate(crawlEvent.CreatedAt);
            table.AddCells($"{crawlEvent.Id}", Terminal.FormatMoment(crawlEvent.CreatedAt), crawlEvent.EventType, $"{crawlEvent.Payload}");
        }

        return table;
    }
}

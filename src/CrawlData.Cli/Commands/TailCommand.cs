using System.CommandLine;
using System.Globalization;
using System.Text.Json.Serialization;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata tail</c>: follows a crawl, or all.</summary>
internal sealed class TailCommand : ToolCommand
{
    private readonly Argument<Guid?> crawl = new("CRAWL")
    {
        Description = "The crawl's id, as `crawldata runs` shows it; all crawls unless given.",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result => CommandParameters.ParseAll<Guid>(result, "CRAWL", "a crawl's id, which is a UUID", Guid.TryParse)[0],
    };

    private readonly Option<string?> after = new("--after")
    {
        Description = "Only events after this: of a crawl the last id seen, of all crawls the last cursor, to go on reading.",
        HelpName = "ID|CURSOR",
    };

    private readonly Option<bool> json = CommandParameters.Json();

    public TailCommand() : base("tail", "Follows a crawl until its run has ended, or all crawls: what is there, then what is appended.", """
        Events come in order, each once. It goes on after a lost connection; ended, it is taken up again by --after with the last id,
        of all crawls with the last "cursor" of its NDJSON: the last event of each batch has one.
        """)
    {
        Add(crawl);
        Add(after);
        Add(json);
        Validators.Add(result =>
        {
            if (result.GetResult(crawl)?.Tokens is [_] && result.GetValue(after) is { } given && !CommandParameters.TryParseNumber<long>(given, out _))
            {
                result.AddError($"--after takes an event's id, not '{given}'");
            }
        });
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var events = new CrawlEventRepository(dataSource);
        var options = new CrawlEventFollowOptions { Listen = true };
        var given = arguments.GetValue(after);
        var rows = arguments.GetValue(crawl) is { } crawlId
            ? events.FollowAsync(crawlId, given is null ? null : long.Parse(given, CultureInfo.InvariantCulture), options, cancellationToken)
                .Select(crawlEvent => new Row(crawlEvent, null))
            : events.FollowAllAsync(given, options, cancellationToken).SelectMany(ToRows);
        try
        {
            await (Terminal.IsForPeople(arguments, json) ? ShowAsync(rows) : WriteAsync(rows, cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C is how it ends.
        }
    }

    // Only the last, since whoever goes on from a cursor gets nothing of its batch again.
    private static IEnumerable<Row> ToRows(CrawlEventBatch batch) =>
        batch.Events.Select((crawlEvent, index) => new Row(crawlEvent, index == batch.Events.Count - 1 ? batch.Cursor : null));

    private static async Task ShowAsync(IAsyncEnumerable<Row> rows)
    {
        string? cursor = null;
        try
        {
            await foreach (var row in rows)
            {
                Terminal.WriteLine($"{row.Id}  {row.CreatedAt:HH:mm:ss.fff}  {row.EventType}  {row.Payload}");
                cursor = row.Cursor ?? cursor;
            }
        }
        finally
        {
            if (cursor is not null)
            {
                Console.WriteLine($"The next: --after {cursor}");
            }
        }
    }

    private static async Task WriteAsync(IAsyncEnumerable<Row> rows, CancellationToken cancellationToken)
    {
        await using var writer = new RowWriter();
        await using var row = rows.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            // Gathered, unless the next is to be waited for.
            var next = row.MoveNextAsync();
            if (!next.IsCompleted)
            {
                await writer.FlushAsync(cancellationToken);
            }

            if (!await next)
            {
                return;
            }

            await writer.WriteAsync(row.Current, cancellationToken);
        }
    }

    private sealed class Row(CrawlEvent crawlEvent, string? cursor)
    {
        public long Id => crawlEvent.Id;

        public Guid CrawlId => crawlEvent.CrawlId;

        public string EventType => crawlEvent.EventType;

        public Jsonb Payload => crawlEvent.Payload;

        public DateTimeOffset CreatedAt => crawlEvent.CreatedAt;

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Cursor => cursor;
    }
}

using System.CommandLine;
using System.Globalization;
using System.Text.Json.Serialization;
using CrawlData.Crawls;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata tail</c>: follows one crawl or all crawls.</summary>
internal sealed class TailCommand : ToolCommand
{
    private readonly Argument<Guid?> crawl = new("CRAWL")
    {
        Description = "The crawl's id. `crawldata runs` lists the ids. The default is all crawls.",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result => CommandParameters.ParseAll<Guid>(result, "CRAWL", "a crawl's id, which is a UUID", Guid.TryParse)[0],
    };

    private readonly Option<string?> after = new("--after")
    {
        Description = "Only events after this id or, for all crawls, after this cursor. To continue, give the last one that was read.",
        HelpName = "ID|CURSOR",
    };

    private readonly Option<bool> json = CommandParameters.Json();

    public TailCommand() : base("tail", "Follows a crawl until its run has ended, or follows all crawls.", """
        It writes the stored events first, then each event that is appended. Events come in order, each once. A lost connection is opened again.

        To continue later, give --after the last id. For all crawls, give it the last "cursor" in the NDJSON: the last event of each batch has one.
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
        var events = new CrawlEventRepository(dataSource, logger: PassedOverRowsLog.For<CrawlEventRepository>());
        var options = new CrawlEventFollowOptions { Listen = true };
        var given = arguments.GetValue(after);
        var rows = arguments.GetValue(crawl) is { } crawlId
            ? events.FollowAsync(crawlId, given is null ? null : long.Parse(given, CultureInfo.InvariantCulture), options, cancellationToken)
                .Select(crawlEvent => new Row(crawlEvent, null))
            : events.FollowAllAsync(given, options, cancellationToken).SelectMany(ToRows);
        try
        {
            await (Terminal.WritesTable(arguments, json) ? WriteTextAsync(rows) : WriteRowsAsync(rows, cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C is the usual end.
        }
    }

    // Only the last event has the cursor: a follower that continues after the cursor gets no event of its batch.
    private static IEnumerable<Row> ToRows(CrawlEventBatch batch) =>
        batch.Events.Select((crawlEvent, index) => new Row(crawlEvent, index == batch.Events.Count - 1 ? batch.Cursor : null));

    private static async Task WriteTextAsync(IAsyncEnumerable<Row> rows)
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
                Console.WriteLine($"--after {cursor} continues here.");
            }
        }
    }

    private static async Task WriteRowsAsync(IAsyncEnumerable<Row> rows, CancellationToken cancellationToken)
    {
        await using var writer = new RowWriter();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var row = rows.GetAsyncEnumerator(ending.Token);
        while (true)
        {
            // Rows are buffered while the next event is there already.
            var next = row.MoveNextAsync();
            if (!next.IsCompleted)
            {
                try
                {
                    await writer.FlushAsync(cancellationToken);
                }
                catch
                {
                    // An enumerator that still waits for its next event cannot be disposed: NotSupportedException would replace this exception.
                    await ending.CancelAsync();
                    await ((Task)next.AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    throw;
                }
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

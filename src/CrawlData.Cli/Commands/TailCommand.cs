using System.CommandLine;
using System.Globalization;
using System.Text.Json.Serialization;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata tail</c>: follows one crawl or all crawls.</summary>
internal sealed class TailCommand : ToolCommand
{
    public const string CommandName = "tail";

    public const string Summary = "Follows a crawl until its run has ended, or follows all crawls.";

    private readonly Argument<IdText?> crawl = new("CRAWL")
    {
        Description = "The crawl's id, or its first digits. `crawldata runs` lists the ids. The default is all crawls.",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result => CommandParameters.ParseAll<IdText>(result, "CRAWL", IdText.Expected("crawl"), IdText.TryParse)[0],
    };

    private readonly Option<string?> after = new("--after")
    {
        Description = "Only events after this id or, for all crawls, after this cursor. To continue, give the last one that was read.",
        HelpName = "ID|CURSOR",
    };

    private readonly Option<Start?> from = new("--from")
    {
        Description = "start: the stored events first, which is the default for one crawl. now: only new events, which is the default for all crawls.",
        HelpName = "start|now",
    };

    private readonly Option<string[]> types = CommandParameters.EventTypes();

    private readonly OutputFormat format = new();

    public TailCommand() : base(CommandName, Summary, """
        For one crawl it writes the stored events first, then each event that is appended. For all crawls it writes only new events, unless --from start or
        --after is given. Events come in order, each once. A lost connection is opened again.

        To continue later, give --after the last id. For all crawls, give it the last "cursor" in the NDJSON: the last event of each batch has one.
        """)
    {
        Add(crawl);
        Add(after);
        from.CompletionSources.Clear();
        from.CompletionSources.Add("start", "now");
        Add(from);
        Add(types);
        format.AddTo(this);
        Validators.Add(result =>
        {
            if (result.GetResult(after) is not null && result.GetResult(from) is not null)
            {
                result.AddError("--after and --from exclude each other");
            }

            if (result.GetResult(crawl)?.Tokens is [_] && result.GetValue(after) is { } given && !CommandParameters.TryParseNumber<long>(given, out _))
            {
                result.AddError($"--after takes an event's id, not '{given}'");
            }
        });
        SetAction(RunAsync);
    }

    private enum Start
    {
        Start,
        Now,
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var events = new CrawlEventRepository(dataSource, logger: PassedOverRowsLog.For<CrawlEventRepository>());
        var options = new CrawlEventFollowOptions { Listen = true };
        var crawlId = arguments.GetValue(crawl) is { } id ? await id.ToCrawlIdAsync(dataSource, cancellationToken) : (Guid?)null;
        var wanted = arguments.GetValues(types)?.ToHashSet();
        var given = arguments.GetValue(after);
        if (given is null && (arguments.GetValue(from) ?? (crawlId is null ? Start.Now : Start.Start)) == Start.Now)
        {
            given = await ToNowAsync(events, crawlId, cancellationToken);
        }

        var rows = crawlId is { } one
            ? events.FollowAsync(one, given is null ? null : long.Parse(given, CultureInfo.InvariantCulture), options, cancellationToken)
                .Where(crawlEvent => wanted?.Contains(crawlEvent.EventType) ?? true)
                .Select(crawlEvent => new Row(crawlEvent, null))
            : events.FollowAllAsync(given, options, cancellationToken).SelectMany(batch => ToRows(batch, wanted));
        try
        {
            await (format.IsTable(arguments)
                ? WriteTextAsync(rows, ToShown(dataSource, crawlId, cancellationToken))
                : RowWriter.WriteAllAsync(rows, cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C is the usual end.
        }
    }

    /// <summary>Gets the id or the cursor of the newest event; null when there is none.</summary>
    private static async Task<string?> ToNowAsync(CrawlEventRepository events, Guid? crawlId, CancellationToken cancellationToken) =>
        crawlId is not { } id ? await events.GetNewestCursorAsync(cancellationToken)
            : (await events.GetLastOfEachAsync([id], cancellationToken: cancellationToken)).TryGetValue(id, out var last)
                ? last.Id.ToString(CultureInfo.InvariantCulture)
                : null;

    // Only the last event has the cursor: a follower that continues after the cursor gets no event of its batch.
    private static IEnumerable<Row> ToRows(CrawlEventBatch batch, HashSet<string>? types)
    {
        var events = types is null ? batch.Events : [.. batch.Events.Where(crawlEvent => types.Contains(crawlEvent.EventType))];
        return events.Select((crawlEvent, index) => new Row(crawlEvent, index == events.Count - 1 ? batch.Cursor : null));
    }

    private static async Task WriteTextAsync(IAsyncEnumerable<Row> rows, Func<Guid, Task<string?>> showCrawl)
    {
        string? cursor = null;
        var texts = new DatedLines();
        try
        {
            await foreach (var row in rows)
            {
                var crawl = await showCrawl(row.CrawlId);
                var start = $"{row.Id}  {(crawl is null ? "" : $"{crawl}  ")}{Terminal.FormatMoment(row.CreatedAt)}  {row.EventType}";
                texts.Write(row.CreatedAt, start, $"{row.Payload}");
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

    /// <summary>Shows which crawl an event is of, where all crawls are followed. A crawl's text stays the same.</summary>
    private static Func<Guid, Task<string?>> ToShown(NpgsqlDataSource dataSource, Guid? followed, CancellationToken cancellationToken)
    {
        var texts = new Dictionary<Guid, string>();
        var runs = new CrawlRunRepository(dataSource);
        return async crawlId =>
        {
            if (followed is not null)
            {
                return null;
            }

            if (!texts.TryGetValue(crawlId, out var text))
            {
                var show = await ShownIds.OfAsync([crawlId], ids => runs.ShortenIdsAsync(ids, cancellationToken: cancellationToken));
                texts.Add(crawlId, text = show(crawlId));
            }

            return text;
        };
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

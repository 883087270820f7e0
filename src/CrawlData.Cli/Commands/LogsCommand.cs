using System.CommandLine;
using CrawlData.Audits;
using CrawlData.Storage;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata logs</c>: reads a session's log.</summary>
internal sealed class LogsCommand : ToolCommand
{
    public const string CommandName = "logs";

    public const string Summary = "Reads an audit session's log in the order of its timestamps.";

    private const int DefaultRows = 100;

    private readonly Argument<IdText> session = CommandParameters.Session();

    private readonly Option<CrawlLogLevel[]> levels = CommandParameters.Labels<CrawlLogLevel>("--level", "LEVEL", "Only lines of this level");

    private readonly Option<CrawlLogEventType[]> types = CommandParameters.Labels<CrawlLogEventType>("--type", "TYPE", "Only lines with this event type");

    private readonly Option<DateTimeOffset?> since = CommandParameters.Time("--since", "Only lines with this time or later");

    private readonly Option<DateTimeOffset?> until = CommandParameters.Time("--until", "Only lines before this time");

    private readonly Option<string?> after = new("--after")
    {
        Description = "Only lines after this cursor, which a table ends with. Give the same filters again.",
        HelpName = "CURSOR",
    };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most lines to read. The default is {DefaultRows} on a terminal, and all otherwise.");

    private readonly Option<bool> follow = new("--follow", "-f")
    {
        Description = "Go on with each line as it is stored, until the session has ended. Lines are in the order in which they were stored.",
    };

    private readonly OutputFormat format = new();

    public LogsCommand() : base(CommandName, Summary)
    {
        Add(session);
        Add(levels);
        Add(types);
        Add(since);
        Add(until);
        Add(after);
        Add(limit);
        Add(follow);
        format.AddTo(this);
        CommandParameters.Exclude(this, follow, after, limit);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var logs = new CrawlLogRepository(dataSource, logger: PassedOverRowsLog.For<CrawlLogRepository>());
        var sessionId = await arguments.GetRequiredValue(session).ToSessionIdAsync(dataSource, cancellationToken);
        var query = new CrawlLogFilter
        {
            Levels = arguments.GetValues(levels),
            EventTypes = arguments.GetValues(types),
            TimestampFrom = arguments.GetValue(since),
            TimestampBefore = arguments.GetValue(until),
        };
        var asTable = format.IsTable(arguments);
        if (arguments.GetValue(follow))
        {
            await FollowAsync(logs.FollowAsync(sessionId, query, cancellationToken: cancellationToken), asTable, cancellationToken);
            return;
        }

        // A table without a limit shows one page, so the cursor of the second page continues after it.
        var next = arguments.GetValue(after);
        var listing = new Listing<CrawlLog>
        {
            DefaultRows = DefaultRows,
            Table = rows => Task.FromResult(ToTable(rows)),
            EmptyMessage = "No lines.",
            MoreMessage = _ => $"These are the first {DefaultRows} lines. --after {next} shows the next; --limit N shows more; --json writes all as NDJSON.",
        };
        var any = await listing.WriteAsync(
            asTable,
            arguments.GetValue(limit),
            max => Pages.ReadAsync<CrawlLog>(
                (size, cursor, token) => logs.ListAsync(sessionId, query, size, next = cursor ?? next, cancellationToken: token),
                max,
                asTable ? DefaultRows : CrawlLogRepository.MaxPageSize),
            cancellationToken);
        if (!any && await new AuditSessionRepository(dataSource).GetAsync(sessionId, cancellationToken: cancellationToken) is null)
        {
            throw new UnknownIdException("session", sessionId);
        }
    }

    private static async Task FollowAsync(IAsyncEnumerable<CrawlLog> lines, bool asTable, CancellationToken cancellationToken)
    {
        try
        {
            if (!asTable)
            {
                await RowWriter.WriteAllAsync(lines, cancellationToken);
                return;
            }

            var texts = new DatedLines();
            await foreach (var line in lines)
            {
                var start = $"{Terminal.FormatMoment(line.Timestamp)}  {line.Level.ToLabel()}  {line.EventType.ToLabel()}  {line.Message}";
                texts.Write(line.Timestamp, start, $"{line.Details}");
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C is the usual end.
        }
    }

    /// <summary>Makes the table of log lines.</summary>
    public static TextTable ToTable(IEnumerable<CrawlLog> lines)
    {
        var table = Terminal.Table(flexible: "message", "at", "level", "type", "message");
        foreach (var line in lines)
        {
            table.AddDate(line.Timestamp);
            table.AddCellsAndRest(
                $"{line.Details}", Terminal.FormatMoment(line.Timestamp), line.Level.ToLabel(), line.EventType.ToLabel(), line.Message);
        }

        return table;
    }
}

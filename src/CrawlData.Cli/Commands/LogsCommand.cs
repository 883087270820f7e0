using System.CommandLine;
using CrawlData.Audits;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata logs</c>: reads a session's log.</summary>
internal sealed class LogsCommand : ToolCommand
{
    private const int ShownUnasked = 100;

    private static readonly Listing<CrawlLog> Listing = new()
    {
        ShownUnasked = ShownUnasked,
        Table = () => Terminal.Table(flexible: "message", "at (UTC)", "level", "type", "message"),
        Cells = line => [$"{line.Timestamp:HH:mm:ss.fff}", line.Level.ToLabel(), line.EventType.ToLabel(), $"{line.Message} {line.Details}"],
        WhenEmpty = "No lines.",
        WhenMore = last => $"The first {ShownUnasked} lines. The next: --since {last.Timestamp:yyyy-MM-ddTHH:mm:ss.ffffffZ}. More: --limit N. All, as NDJSON: --json.",
    };

    private readonly Argument<Guid> session = CommandParameters.Session();

    private readonly Option<CrawlLogLevel[]> levels = CommandParameters.Labels<CrawlLogLevel>("--level", "LEVEL", "Only lines of this level");

    private readonly Option<CrawlLogEventType[]> types = CommandParameters.Labels<CrawlLogEventType>("--type", "TYPE", "Only lines about this");

    private readonly Option<DateTimeOffset?> since = CommandParameters.Time("--since", "Only lines of this time or later");

    private readonly Option<DateTimeOffset?> until = CommandParameters.Time("--until", "Only lines before this time");

    private readonly Option<int?> limit = CommandParameters.Limit($"The most lines to read; all unless given, and in a table {ShownUnasked}.");

    private readonly Option<bool> json = CommandParameters.Json();

    public LogsCommand() : base("logs", "Reads an audit session's log in the order of its timestamps.")
    {
        Add(session);
        Add(levels);
        Add(types);
        Add(since);
        Add(until);
        Add(limit);
        Add(json);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var logs = new CrawlLogRepository(dataSource);
        var sessionId = arguments.GetValue(session);
        var query = new CrawlLogFilter
        {
            Levels = arguments.GetGiven(levels),
            EventTypes = arguments.GetGiven(types),
            TimestampFrom = arguments.GetValue(since),
            TimestampBefore = arguments.GetValue(until),
        };
        var any = await Listing.ShowAsync(
            Terminal.IsForPeople(arguments, json),
            arguments.GetValue(limit),
            most => Pages.ReadAsync<CrawlLog>(
                (size, cursor, token) => logs.ListAsync(sessionId, query, size, cursor, cancellationToken: token), most, CrawlLogRepository.MaxPageSize),
            cancellationToken);
        if (!any && await new AuditSessionRepository(dataSource).GetAsync(sessionId, cancellationToken: cancellationToken) is null)
        {
            throw new RowNotFoundException("audit_sessions", [sessionId]);
        }
    }
}

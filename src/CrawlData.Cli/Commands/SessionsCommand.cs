using System.CommandLine;
using CrawlData.Audits;
using CrawlData.Storage;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata sessions</c>: lists audit sessions.</summary>
internal sealed class SessionsCommand : ToolCommand
{
    public const string CommandName = "sessions";

    public const string Summary = "Lists audit sessions, newest first.";

    private const int DefaultRows = 20;

    private readonly Option<AuditSessionStatus[]> statuses =
        CommandParameters.Labels<AuditSessionStatus>("--status", "STATUS", "Only sessions in this status");

    private readonly Option<string?> policy = new("--policy")
    {
        Description = "Only sessions with this version of the crawl policy. It is matched exactly.",
        HelpName = "VERSION",
    };

    private readonly Option<AuditMode[]> modes = CommandParameters.Labels<AuditMode>("--mode", "MODE", "Only sessions of this mode");

    private readonly Option<bool> lowConfidence = new("--low-confidence") { Description = "Only sessions whose findings have low confidence." };

    private readonly Option<DateTimeOffset?> since = CommandParameters.Time("--since", "Only sessions created at this time or later");

    private readonly Option<DateTimeOffset?> until = CommandParameters.Time("--until", "Only sessions created before this time");

    private readonly Option<TimeSpan?> stale = CommandParameters.Stale(
        "Only sessions that are running, and had no log line or heartbeat for so long. Oldest first, and without other filters.");

    private readonly Option<bool> oldestFirst = new("--oldest-first")
    {
        Description = "List the oldest first, in the order of the queue. The default is newest first.",
    };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most sessions to list. The default is {DefaultRows} on a terminal, and all otherwise.");

    private readonly OutputFormat format = new();

    public SessionsCommand() : base(CommandName, Summary, """
        With --stale, the times of log lines are those that their writers set: a writer's clock may be wrong.

          crawldata sessions --stale 10m          which are stuck?
        """)
    {
        Add(statuses);
        Add(policy);
        Add(modes);
        Add(lowConfidence);
        Add(since);
        Add(until);
        Add(stale);
        Add(oldestFirst);
        Add(limit);
        format.AddTo(this);
        CommandParameters.Exclude(this, stale, statuses, policy, modes, lowConfidence, since, until, oldestFirst);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var sessions = new AuditSessionRepository(dataSource, logger: PassedOverRowsLog.For<AuditSessionRepository>());
        var queue = new AuditSessionQueue(dataSource, PassedOverRowsLog.For<AuditSessionQueue>());
        var order = arguments.GetValue(oldestFirst) ? ListOrder.OldestFirst : ListOrder.NewestFirst;
        var filter = new AuditSessionFilter
        {
            Statuses = arguments.GetValues(statuses),
            CrawlPolicyVersion = arguments.GetValue(policy),
            Modes = arguments.GetValues(modes),
            LowConfidence = arguments.GetValue(lowConfidence) ? true : null,
            CreatedFrom = arguments.GetValue(since),
            CreatedBefore = arguments.GetValue(until),
        };
        var listing = new Listing<AuditSession>
        {
            DefaultRows = DefaultRows,
            Table = rows => ToTableAsync(sessions, rows, cancellationToken),
            EmptyMessage = "No sessions.",
            MoreMessage = _ => $"These are the first {DefaultRows} sessions. --limit N shows more; --json writes all as NDJSON.",
        };
        await listing.WriteAsync(
            format.IsTable(arguments),
            arguments.GetValue(limit),
            max => arguments.GetValue(stale) is { } silentFor
                ? Pages.ReadAsync(queue.ListSilentAsync(silentFor, max ?? int.MaxValue, cancellationToken: cancellationToken))
                : Pages.ReadAsync<AuditSession>(
                    (size, cursor, token) => sessions.ListAsync(filter, size, cursor, order, cancellationToken: token),
                    max,
                    AuditSessionRepository.MaxPageSize),
            cancellationToken);
    }

    private static async Task<TextTable> ToTableAsync(AuditSessionRepository sessions, IReadOnlyList<AuditSession> rows, CancellationToken cancellationToken)
    {
        var shown = await ShownIds.OfAsync(rows.Select(session => session.Id), ids => sessions.ShortenIdsAsync(ids, cancellationToken: cancellationToken));
        string[] further = Terminal.IsWide ? ["mode", "policy"] : [];
        var table = Terminal.Table(flexible: "url", ["id", "status", "attempts", "created", .. further, "url"]);
        foreach (var session in rows)
        {
            table.AddDate(session.CreatedAt);
            further = Terminal.IsWide ? [session.Mode.ToLabel(), session.CrawlPolicyVersion] : [];
            table.AddCells(
                [shown(session.Id), session.Status.ToLabel(), $"{session.Attempts,8}", Terminal.FormatTime(session.CreatedAt), .. further, session.Url],
                session.ErrorSummary is { } error ? $"error: {error}" : null);
        }

        return table;
    }
}

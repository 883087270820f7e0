using System.CommandLine;
using CrawlData.Audits;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata sessions</c>: lists audit sessions.</summary>
internal sealed class SessionsCommand : ToolCommand
{
    private const int ShownUnasked = 20;

    private static readonly Listing<AuditSession> Listing = new()
    {
        ShownUnasked = ShownUnasked,
        Table = () => Terminal.Table(flexible: "url", "id", "status", "attempts", "created (UTC)", "url"),
        Cells = session => [$"{session.Id}", session.Status.ToLabel(), $"{session.Attempts}", Terminal.Format(session.CreatedAt), session.Url],
        WhenEmpty = "No sessions.",
        WhenMore = _ => $"The first {ShownUnasked} sessions. More: --limit N. All, as NDJSON: --json.",
    };

    private readonly Option<AuditSessionStatus[]> statuses = CommandParameters.Labels<AuditSessionStatus>("--status", "STATUS", "Only sessions in this status");

    private readonly Option<string?> policy = new("--policy") { Description = "Only sessions of this version of the crawl policy, exactly.", HelpName = "VERSION" };

    private readonly Option<AuditMode[]> modes = CommandParameters.Labels<AuditMode>("--mode", "MODE", "Only sessions of this mode");

    private readonly Option<bool> lowConfidence = new("--low-confidence") { Description = "Only sessions whose findings are of low confidence." };

    private readonly Option<DateTimeOffset?> since = CommandParameters.Time("--since", "Only sessions created at this time or later");

    private readonly Option<DateTimeOffset?> until = CommandParameters.Time("--until", "Only sessions created before this time");

    private readonly Option<bool> oldestFirst = new("--oldest-first") { Description = "Oldest first, as the queue goes; newest first unless given." };

    private readonly Option<int?> limit = CommandParameters.Limit($"The most sessions to list; on a terminal {ShownUnasked} unless given, otherwise all.");

    private readonly Option<bool> json = CommandParameters.Json();

    public SessionsCommand() : base("sessions", "Lists audit sessions, newest first.")
    {
        Add(statuses);
        Add(policy);
        Add(modes);
        Add(lowConfidence);
        Add(since);
        Add(until);
        Add(oldestFirst);
        Add(limit);
        Add(json);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var sessions = new AuditSessionRepository(dataSource);
        var order = arguments.GetValue(oldestFirst) ? ListOrder.OldestFirst : ListOrder.NewestFirst;
        var filter = new AuditSessionFilter
        {
            Statuses = arguments.GetGiven(statuses),
            CrawlPolicyVersion = arguments.GetValue(policy),
            Modes = arguments.GetGiven(modes),
            LowConfidence = arguments.GetValue(lowConfidence) ? true : null,
            CreatedFrom = arguments.GetValue(since),
            CreatedBefore = arguments.GetValue(until),
        };
        await Listing.ShowAsync(
            Terminal.IsForPeople(arguments, json),
            arguments.GetValue(limit),
            most => Pages.ReadAsync<AuditSession>(
                (size, cursor, token) => sessions.ListAsync(filter, size, cursor, order, cancellationToken: token), most, AuditSessionRepository.MaxPageSize),
            cancellationToken);
    }
}

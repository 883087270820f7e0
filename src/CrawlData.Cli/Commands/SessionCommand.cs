using System.CommandLine;
using CrawlData.Audits;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata session</c>: shows one audit session. Commands that make or change a session are its subcommands.</summary>
internal sealed class SessionCommand : ToolCommand
{
    public const string CommandName = "session";

    public const string Summary = "Shows an audit session: its status, error, attempts, pages, artifacts, and last log lines.";

    private const int LinesShown = 10;

    public SessionCommand() : base(CommandName, Summary, """
        The commands below make and change sessions.

          crawldata session 019ac5e2          `crawldata session show` does the same
          crawldata session 019ac5e2 --json | jq .session.error_summary
        """)
    {
        AddShow(this);
        var show = new Command("show", "Shows an audit session. It is the default.");
        AddShow(show);
        Add(show);
        Add(new SessionEnqueueCommand());
        Add(SessionChangeCommand.Requeue());
        Add(SessionChangeCommand.Fail());
        Add(SessionChangeCommand.Release());
    }

    /// <exception cref="UnknownIdException">There is no such session.</exception>
    public static async Task<AuditSession> RequireAsync(NpgsqlDataSource dataSource, Guid id, CancellationToken cancellationToken) =>
        await new AuditSessionRepository(dataSource).GetAsync(id, cancellationToken: cancellationToken) ?? throw new UnknownIdException("session", id);

    private static void AddShow(Command command)
    {
        var session = CommandParameters.Session();
        var format = new OutputFormat("one JSON object");
        command.Add(session);
        format.AddTo(command);
        command.SetAction((arguments, cancellationToken) =>
            ShowAsync(arguments, arguments.GetRequiredValue(session), format.IsTable(arguments), cancellationToken));
    }

    private static async Task ShowAsync(ParseResult arguments, IdText id, bool asTable, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var sessionId = await id.ToSessionIdAsync(dataSource, cancellationToken);
        var session = await RequireAsync(dataSource, sessionId, cancellationToken);
        var pages = await new AuditPageRepository(dataSource, logger: PassedOverRowsLog.For<AuditPageRepository>())
            .ListAsync(sessionId, cancellationToken: cancellationToken);
        var artifacts = await new ArtifactRepository(dataSource).TotalByTypeAsync(sessionId, cancellationToken: cancellationToken);
        var newest = await new CrawlLogRepository(dataSource, logger: PassedOverRowsLog.For<CrawlLogRepository>())
            .ListNewestAsync(sessionId, pageSize: LinesShown, cancellationToken: cancellationToken);
        CrawlLog[] lines = [.. newest.Items.Reverse()];
        if (asTable)
        {
            Show(session, pages, artifacts, lines);
            return;
        }

        await using var rows = new RowWriter();
        await rows.WriteAsync(new SessionRow { Session = session, Pages = pages, Artifacts = artifacts, LastLines = lines }, cancellationToken);
    }

    private static void Show(
        AuditSession session, IReadOnlyList<AuditPage> pages, IReadOnlyDictionary<ArtifactType, ArtifactTotal> artifacts, CrawlLog[] lines)
    {
        var facts = new Facts();
        facts.Add("session", $"{session.Id}");
        facts.Add("status", session.Status.ToLabel());
        facts.Add("error", session.ErrorSummary);
        facts.Add("url", session.Url);
        facts.Add("final url", session.FinalUrl == session.Url ? null : session.FinalUrl);
        facts.Add("pdp url", session.PdpUrl);
        facts.Add("attempts", $"{session.Attempts:N0}");
        facts.Add("created", Terminal.FormatFull(session.CreatedAt));
        facts.Add("mode", $"{session.Mode.ToLabel()}; retention {session.RetentionPolicy.ToLabel()}; policy {session.CrawlPolicyVersion}");
        facts.Add("confidence", session.LowConfidence ? "low" : null);
        var kept = artifacts.Where(artifact => artifact.Value.Count > 0).ToList();
        facts.Add("artifacts", kept.Count == 0 ? "none" : string.Join(", ", kept.Select(
            artifact => $"{artifact.Value.Count:N0} {artifact.Key.ToLabel()} ({Terminal.FormatBytes(artifact.Value.SizeBytes)})")));
        facts.Show();
        Terminal.WriteLine("");
        ToMatrix(pages).Show("No pages.");
        Terminal.WriteLine("");
        LogsCommand.ToTable(lines).Show("No log lines.");
        if (lines.Length == LinesShown)
        {
            Terminal.WriteLine($"crawldata logs {session.Id} reads all lines.");
        }
    }

    /// <summary>Makes the table of page types by viewports. A cell has the statuses of its pages.</summary>
    private static TextTable ToMatrix(IReadOnlyList<AuditPage> pages)
    {
        var viewports = Enum.GetValues<Viewport>();
        var table = Terminal.Table(flexible: "page", ["page", .. viewports.Select(viewport => viewport.ToLabel())]);
        foreach (var group in pages.GroupBy(page => page.PageType))
        {
            table.AddCells(
                [group.Key.ToLabel(), .. viewports.Select(viewport => string.Join(", ", group.Where(page => page.Viewport == viewport).Select(Text)))]);
        }

        return table;

        static string Text(AuditPage page) => page.Status.ToLabel() + ($"{page.LowConfidenceReasons}" is "[]" or "{}" or "null" ? "" : " (low confidence)");
    }

    private sealed record SessionRow
    {
        public required AuditSession Session { get; init; }

        public required IReadOnlyList<AuditPage> Pages { get; init; }

        public required IReadOnlyDictionary<ArtifactType, ArtifactTotal> Artifacts { get; init; }

        public required IReadOnlyList<CrawlLog> LastLines { get; init; }
    }
}

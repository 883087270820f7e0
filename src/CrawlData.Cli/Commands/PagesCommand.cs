using System.CommandLine;
using CrawlData.Audits;
using CrawlData.Storage;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata pages</c>: lists a session's pages.</summary>
internal sealed class PagesCommand : ToolCommand
{
    public const string CommandName = "pages";

    public const string Summary = "Lists the pages of an audit session, with timings and reasons for low confidence.";

    private readonly Argument<IdText> session = CommandParameters.Session();

    private readonly Option<PageType[]> types = CommandParameters.Labels<PageType>("--type", "TYPE", "Only pages of this type");

    private readonly Option<Viewport[]> viewports = CommandParameters.Labels<Viewport>("--viewport", "VIEWPORT", "Only pages in this viewport");

    private readonly OutputFormat format = new();

    public PagesCommand() : base(CommandName, Summary)
    {
        Add(session);
        Add(types);
        Add(viewports);
        format.AddTo(this);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var sessionId = await arguments.GetRequiredValue(session).ToSessionIdAsync(dataSource, cancellationToken);
        var filter = new AuditPageFilter { PageTypes = arguments.GetValues(types), Viewports = arguments.GetValues(viewports) };
        var pages = await new AuditPageRepository(dataSource, logger: PassedOverRowsLog.For<AuditPageRepository>())
            .ListAsync(sessionId, filter, cancellationToken: cancellationToken);
        var listing = new Listing<AuditPage>
        {
            DefaultRows = int.MaxValue - 1,
            Table = rows => Task.FromResult(ToTable(rows)),
            EmptyMessage = "No pages.",
            MoreMessage = _ => "",
        };
        if (!await listing.WriteAsync(format.IsTable(arguments), null, _ => pages.ToAsyncEnumerable(), cancellationToken))
        {
            await SessionCommand.RequireAsync(dataSource, sessionId, cancellationToken);
        }
    }

    private static TextTable ToTable(IReadOnlyList<AuditPage> rows)
    {
        var table = Terminal.Table(flexible: "load timings", "page", "viewport", "status", "load timings");
        foreach (var page in rows)
        {
            var reasons = $"{page.LowConfidenceReasons}";
            table.AddCells(
                [page.PageType.ToLabel(), page.Viewport.ToLabel(), page.Status.ToLabel(), $"{page.LoadTimings}"],
                reasons is "[]" or "{}" or "null" ? null : $"low confidence: {reasons}");
        }

        return table;
    }
}

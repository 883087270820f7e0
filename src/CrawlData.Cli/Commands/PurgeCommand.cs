using System.CommandLine;
using CrawlData.Cli.Exports;
using CrawlData.Retention;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata purge</c>: deletes old rows.</summary>
internal sealed class PurgeCommand : ToolCommand
{
    public const string CommandName = "purge";

    public const string Summary = "Deletes old rows: deleted artifacts, audit sessions with all their rows, crawls with their events.";

    private readonly Option<TimeSpan?> artifacts =
        CommandParameters.Age("--artifacts", "Delete the rows of artifacts that were marked as deleted at least this long ago.");

    private readonly Option<TimeSpan?> sessions = CommandParameters.Age(
        "--sessions",
        "Delete audit sessions that ended at least this long ago, with their pages, artifacts and log lines. Sessions with artifacts in storage are kept.");

    private readonly Option<TimeSpan?> crawls = CommandParameters.Age("--crawls", "Delete crawls that ended at least this long ago, with their events.");

    private readonly Option<bool> abandonArtifacts = new("--abandon-artifacts")
    {
        Description = "With --sessions: also delete sessions with artifacts in storage. These artifacts stay there without a row that refers to them.",
    };

    private readonly Option<string?> archive = new("--archive")
    {
        Description = "With --crawls: first write each crawl into this folder, as a compressed recording that crawldata import reads.",
        HelpName = "DIR",
    };

    private readonly Option<bool> parquet = new("--parquet") { Description = "With --archive: write a folder of Parquet files for each crawl instead." };

    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Only count. Delete nothing." };

    private readonly OutputFormat format = new();

    public PurgeCommand() : base(CommandName, Summary, """
        It deletes in small transactions, so it can run while crawlers work. When it is interrupted, the next run continues.

        Where crawldata partition has partitioned the events, it drops the partitions in which every crawl is old enough, and counts their events by estimate.

          crawldata purge --artifacts 30d --sessions 400d --crawls 400d --dry-run
          crawldata purge --crawls 400d --archive /backup/crawls
        """)
    {
        Add(artifacts);
        Add(sessions);
        Add(crawls);
        Add(abandonArtifacts);
        Add(archive);
        Add(parquet);
        Add(dryRun);
        format.AddTo(this);
        Validators.Add(result =>
        {
            if (result.GetResult(artifacts) is null && result.GetResult(sessions) is null && result.GetResult(crawls) is null)
            {
                result.AddError("name the rows to delete, and their age: --artifacts AGE, --sessions AGE, --crawls AGE");
            }

            if (result.GetValue(archive) is not null ? result.GetResult(crawls) is null : result.GetValue(parquet))
            {
                result.AddError("--archive needs --crawls, and --parquet needs --archive");
            }
        });
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var purger = new RetentionPurger(dataSource);
        var dry = arguments.GetValue(dryRun);
        var purged = new List<PurgedRow>();
        if (arguments.GetValue(artifacts) is { } artifactAge)
        {
            purged.Add(ToRow("artifacts", await purger.PurgeArtifactsAsync(artifactAge, dryRun: dry, cancellationToken: cancellationToken), dry));
        }

        if (arguments.GetValue(sessions) is { } sessionAge)
        {
            purged.Add(ToRow("audit_sessions", await purger.PurgeSessionsAsync(
                sessionAge, dryRun: dry, abandonArtifacts: arguments.GetValue(abandonArtifacts), cancellationToken: cancellationToken), dry));
        }

        if (arguments.GetValue(crawls) is { } crawlAge)
        {
            var total = arguments.GetValue(archive) is { } folder
                ? await purger.PurgeCrawlsAsync(
                    crawlAge,
                    new CrawlArchive(dataSource, folder, arguments.GetValue(parquet)).WriteAsync,
                    dryRun: dry,
                    cancellationToken: cancellationToken)
                : await purger.PurgeCrawlsAsync(crawlAge, dryRun: dry, cancellationToken: cancellationToken);
            purged.Add(ToRow("crawl_runs", total, dry));
        }

        if (!format.IsTable(arguments))
        {
            await using var rows = new RowWriter();
            foreach (var row in purged)
            {
                await rows.WriteAsync(row, cancellationToken);
            }

            return;
        }

        var table = Terminal.Table(flexible: "table", "table", $"{(dry ? "would delete" : "deleted"),12}", $"{"rows below",12}", $"{"left",12}");
        foreach (var row in purged)
        {
            table.AddCells(row.Table, $"{row.Deleted,12:N0}", $"{row.RowsBelow,12:N0}", $"{row.Left,12:N0}");
        }

        table.Show();
    }

    private static PurgedRow ToRow(string table, PurgeTotal total, bool dryRun) =>
        new() { Table = table, DryRun = dryRun, Deleted = total.Deleted, RowsBelow = total.Rows, Left = total.Left };

    private sealed record PurgedRow
    {
        public required string Table { get; init; }

        /// <summary>Whether nothing was deleted, and the numbers say what would be.</summary>
        public required bool DryRun { get; init; }

        public required long Deleted { get; init; }

        public required long RowsBelow { get; init; }

        public required long Left { get; init; }
    }
}

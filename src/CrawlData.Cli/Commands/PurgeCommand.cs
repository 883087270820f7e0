using System.CommandLine;
using CrawlData.Retention;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata purge</c>: deletes old rows.</summary>
internal sealed class PurgeCommand : ToolCommand
{
    private readonly Option<TimeSpan?> artifacts = CommandParameters.Age("--artifacts", "Delete the rows of artifacts that were marked as deleted so long ago.");

    private readonly Option<TimeSpan?> sessions = CommandParameters.Age("--sessions", "Delete audit sessions that ended so long ago, with their pages, artifacts and log lines; those of which artifacts still lie in their storage are left.");

    private readonly Option<TimeSpan?> crawls = CommandParameters.Age("--crawls", "Delete crawls that ended so long ago, with their events.");

    private readonly Option<bool> abandonArtifacts = new("--abandon-artifacts") { Description = "With --sessions: also those of which artifacts still lie in their storage, where nothing will point to them any more." };

    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Only count; delete nothing." };

    private readonly Option<bool> json = CommandParameters.Json();

    public PurgeCommand() : base("purge", "Deletes old rows: of artifacts that are gone, of whole audit sessions, of whole crawls.", """
        In small transactions, so that it can run beside the work. Cut off, it keeps what it has done, and the next run goes on from there.

        crawldata purge --artifacts 30d --sessions 400d --crawls 400d --dry-run
        """)
    {
        Add(artifacts);
        Add(sessions);
        Add(crawls);
        Add(abandonArtifacts);
        Add(dryRun);
        Add(json);
        Validators.Add(result =>
        {
            if (result.GetResult(artifacts) is null && result.GetResult(sessions) is null && result.GetResult(crawls) is null)
            {
                result.AddError("name what to delete, and how old: --artifacts AGE, --sessions AGE, --crawls AGE");
            }
        });
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var cleanup = new RetentionCleanup(dataSource);
        var dry = arguments.GetValue(dryRun);
        var purged = new List<PurgedRow>();
        if (arguments.GetValue(artifacts) is { } artifactAge)
        {
            purged.Add(ToRow("artifacts", await cleanup.DeleteArtifactsAsync(artifactAge, dryRun: dry, cancellationToken: cancellationToken)));
        }

        if (arguments.GetValue(sessions) is { } sessionAge)
        {
            purged.Add(ToRow("audit_sessions", await cleanup.DeleteSessionsAsync(
                sessionAge, dryRun: dry, abandonArtifacts: arguments.GetValue(abandonArtifacts), cancellationToken: cancellationToken)));
        }

        if (arguments.GetValue(crawls) is { } crawlAge)
        {
            purged.Add(ToRow("crawl_runs", await cleanup.DeleteCrawlsAsync(crawlAge, dryRun: dry, cancellationToken: cancellationToken)));
        }

        if (!Terminal.IsForPeople(arguments, json))
        {
            await using var rows = new RowWriter();
            foreach (var row in purged)
            {
                await rows.WriteAsync(row, cancellationToken);
            }

            return;
        }

        var table = Terminal.Table(flexible: "table", "table", $"{(dry ? "would go" : "deleted"),12}", $"{"rows below",12}", $"{"left",12}");
        foreach (var row in purged)
        {
            table.AddCells(row.Table, $"{row.Deleted,12:N0}", $"{row.RowsBelow,12:N0}", $"{row.Left,12:N0}");
        }

        table.Show();
    }

    private static PurgedRow ToRow(string table, DeletionTotal total) =>
        new() { Table = table, Deleted = total.Deleted, RowsBelow = total.Rows, Left = total.Left };

    private sealed record PurgedRow
    {
        public required string Table { get; init; }

        public required long Deleted { get; init; }

        public required long RowsBelow { get; init; }

        public required long Left { get; init; }
    }
}

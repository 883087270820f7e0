using System.CommandLine;
using System.Diagnostics;
using CrawlData.Recordings;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata import</c>: stores a recording.</summary>
internal sealed class ImportCommand : ToolCommand
{
    private readonly Argument<string> file = new("FILE") { Description = "The recording, decompressed when its name ends in .gz; - is standard input." };

    private readonly Option<bool> newIds = new("--new-ids") { Description = "Give runs, sessions, pages and artifacts new ids, so that a recording can be imported again." };

    private readonly Option<bool> repair = new("--repair")
    {
        Description = "Put U+FFFD in the place of U+0000, lone surrogates and bytes that are not UTF-8; without it a line that holds one is an error.",
    };

    private readonly Option<bool> json = CommandParameters.Json();

    public ImportCommand() : base("import", "Stores a recording of crawls and audits, all of it or nothing, and prints the ids of its runs and sessions.", """
        A recording is NDJSON, each run before its events, each session before its pages, artifacts and log lines:
        {"table":"crawl_runs","row":{"id":"…","app_package":"com.example.app"}}
        {"table":"crawl_events","row":{"crawl_id":"…","event_type":"page.opened","payload":{}}}
        A line that cannot be imported is told as FILE:LINE: reason.
        """)
    {
        Add(file);
        Add(newIds);
        Add(repair);
        Add(json);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        await using var source = RecordingSource.Open(arguments.GetRequiredValue(file));
        var options = new RecordingImportOptions { NewIds = arguments.GetValue(newIds), Repair = arguments.GetValue(repair) };
        var watch = Stopwatch.StartNew();
        var imported = await source.ImportAsync(dataSource, options, cancellationToken);
        if (Terminal.IsForPeople(arguments, json))
        {
            var ids = string.Concat(imported.CrawlIds.Concat(imported.SessionIds).Select(id => $"\n{id}"));
            Console.WriteLine($"Stored {Terminal.Format(imported.Total)} in {Terminal.Format(watch.Elapsed)}:{ids}");
            return;
        }

        await using var rows = new RowWriter();
        foreach (var crawlId in imported.CrawlIds)
        {
            await rows.WriteAsync(new CrawlRow { CrawlId = crawlId }, cancellationToken);
        }

        foreach (var sessionId in imported.SessionIds)
        {
            await rows.WriteAsync(new SessionRow { SessionId = sessionId }, cancellationToken);
        }
    }

    private sealed record CrawlRow
    {
        public required Guid CrawlId { get; init; }
    }

    private sealed record SessionRow
    {
        public required Guid SessionId { get; init; }
    }
}

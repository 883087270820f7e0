using System.CommandLine;
using System.Diagnostics;
using CrawlData.Recordings;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata import</c>: imports a recording.</summary>
internal sealed class ImportCommand : ToolCommand
{
    public const string CommandName = "import";

    public const string Summary = "Imports a recording of crawls and audits, all or nothing, and prints the ids of its runs and sessions.";

    private readonly Argument<string> file = new("FILE") { Description = "The recording. It is decompressed when it is gzip; - is standard input." };

    private readonly Option<bool> newIds = new("--new-ids")
    {
        Description = "Give runs, sessions, pages and artifacts new ids, so that a recording can be imported several times.",
    };

    private readonly Option<bool> repair = new("--repair")
    {
        Description = "Replace U+0000, lone surrogates and bytes that are not UTF-8 by U+FFFD. Without it, a line with one of them is an error.",
    };

    private readonly Option<bool> enqueue = new("--enqueue")
    {
        Description = "Import work: runs that are PENDING, and sessions that are queued or running. Workers take it, and visit the recording's URLs and apps. "
            + "Without it, a recording with work is an error.",
    };

    private readonly Option<bool> allowExpired = new("--allow-expired")
    {
        Description = "Keep retention times that have passed, so that the next sweep deletes the artifacts. Without it, these artifacts get none.",
    };
    private readonly Option<int?> maxErrors = CommandParameters.Positive("--max-errors", "The most invalid lines to report. The default is 20.");

    private readonly OutputFormat format = new();

    public ImportCommand() : base(CommandName, Summary, """
        A recording is NDJSON. A run comes before its events; a session comes before its pages, artifacts and log lines:

          {"table":"crawl_runs","row":{"id":"…","app_package":"com.example"}}
          {"table":"crawl_events","row":{"crawl_id":"…","event_type":"opened"}}

        Each invalid line is reported as FILE:LINE: reason, and nothing is stored.
        """)
    {
        Add(file);
        Add(newIds);
        Add(repair);
        Add(enqueue);
        Add(allowExpired);
        Add(maxErrors);
        format.AddTo(this);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        await using var source = RecordingSource.Open(arguments.GetRequiredValue(file));
        var defaults = new RecordingImportOptions();
        var options = new RecordingImportOptions
        {
            NewIds = arguments.GetValue(newIds),
            Repair = arguments.GetValue(repair),
            Enqueue = arguments.GetValue(enqueue),
            AllowExpired = arguments.GetValue(allowExpired),
            MaxErrors = arguments.GetValue(maxErrors) ?? defaults.MaxErrors,
        };
        var watch = Stopwatch.StartNew();
        var imported = await source.ImportAsync(dataSource, options, cancellationToken);
        await WriteNotesAsync(imported, options);
        if (format.IsTable(arguments))
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

    private static async Task WriteNotesAsync(RecordingImportResult imported, RecordingImportOptions options)
    {
        if (imported.EnqueuedRuns + imported.EnqueuedSessions > 0)
        {
            await Console.Error.WriteLineAsync(
                $"Workers will take {Terminal.Count(imported.EnqueuedRuns, "run")} and {Terminal.Count(imported.EnqueuedSessions, "session")}.");
        }

        if (imported.ExpiredArtifacts > 0)
        {
            await Console.Error.WriteLineAsync($"{Terminal.Count(imported.ExpiredArtifacts, "artifact")} had expired: "
                + (options.AllowExpired ? "the next sweep deletes them." : "they are stored without a retention time, and no sweep deletes them."));
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

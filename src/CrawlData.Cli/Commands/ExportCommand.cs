using System.CommandLine;
using System.IO.Compression;
using CrawlData.Cli.Exports;
using CrawlData.Crawls;
using CrawlData.Recordings;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata export</c>: writes crawls and audit sessions as a recording, as CSV, or as Parquet files.</summary>
internal sealed class ExportCommand : ToolCommand
{
    public const string CommandName = "export";

    public const string Summary =
        "Exports crawls with their events, and audit sessions with all their rows, as a recording that `crawldata import` reads, as CSV, or as Parquet.";

    private readonly Argument<IdText[]> ids = new("ID")
    {
        Description = "The id of a crawl or an audit session, or its first digits. "
            + "`crawldata runs` and `crawldata sessions` list the ids. Several go into one recording, or into one file of a table.",
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result => CommandParameters.ParseAll<IdText>(result, "ID", IdText.Expected("crawl's or session"), IdText.TryParse),
    };

    private readonly Option<string?> output = new("--output")
    {
        Description = "The file to write. A name that ends in .gz is compressed. The file appears, or is replaced, once it is complete. "
            + "The default is standard output.",
        HelpName = "FILE",
    };

    private readonly Option<long?> after = CommandParameters.Optional<long>(
        "--after", "ID", "Only the crawl's events after this id, and not the run. 0 begins.", "an event's id", CommandParameters.TryParseNumber);

    private readonly Option<bool> csv = new("--csv") { Description = "Write one table as CSV (RFC 4180): a crawl's events, or the table that --table names." };

    private readonly Option<string?> table = new("--table")
    {
        Description = $"The table to write as CSV: one of {string.Join(", ", RecordingFormat.Tables)}.",
        HelpName = "TABLE",
        CustomParser = result => CommandParameters.ParseAll<string>(result, "--table", $"one of {string.Join(", ", RecordingFormat.Tables)}", TryParseTable)[0],
    };

    private readonly Option<string?> parquet = new("--parquet")
    {
        Description = "The folder to write Parquet files into: one for each table that has rows. A new folder, or an empty one. "
            + "Its manifest.json appears once all files are complete.",
        HelpName = "DIR",
    };

    public ExportCommand() : base(
        CommandName,
        Summary,
        """
        An export reads one snapshot of each crawl or session. To go on with a crawl, running or not, give --after the id that the last export ended with. It
        is next_after in the JSON on standard output if the rows go to a file or folder, and in manifest.json. If the rows go to standard output, it is on
        standard error. Each event is exported once. Without new events, no file or folder is written, and the exit code is 0.

          crawldata export CRAWL --after 0 --output 0.ndjson.gz
          crawldata export CRAWL --csv > events.csv
          crawldata export SESSION --csv --table crawl_logs > log.csv
          crawldata export CRAWL SESSION --parquet crawls/2026-11-23
        """)
    {
        Add(ids);
        Add(output);
        Add(after);
        Add(csv);
        table.CompletionSources.Add(RecordingFormat.Tables);
        Add(table);
        Add(parquet);
        Validators.Add(result =>
        {
            if (result.GetValue(csv) && result.GetResult(parquet) is not null)
            {
                result.AddError("--csv and --parquet exclude each other");
            }

            if (result.GetResult(output) is not null && result.GetResult(parquet) is not null)
            {
                result.AddError("--output and --parquet exclude each other");
            }

            if (result.GetResult(table) is not null && !result.GetValue(csv))
            {
                result.AddError("--table needs --csv");
            }

            if (result.GetResult(after) is not null && (result.GetValue(table) ?? RecordingFormat.CrawlEvents) != RecordingFormat.CrawlEvents)
            {
                result.AddError($"--after is for the table {RecordingFormat.CrawlEvents}");
            }

            if (result.GetResult(after) is not null && result.GetResult(ids)?.Tokens.Count > 1)
            {
                result.AddError("--after takes one crawl, because each crawl has its own last id");
            }
        });
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var sources = new List<ExportSource>();
        foreach (var id in arguments.GetRequiredValue(ids))
        {
            sources.Add(await ExportSource.FindAsync(dataSource, id, cancellationToken));
        }

        sources = [.. sources.Distinct()];
        var selection = Select(sources, arguments);
        if (selection.AfterId is > 0 and var given
            && await new CrawlEventRepository(dataSource).CountAsync(
                sources[0].Id, new CrawlEventFilter { AfterId = given - 1, UpToId = given }, cancellationToken: cancellationToken) == 0)
        {
            throw new UnknownIdException($"Crawl {sources[0].Id} has no event {given}: the id is of another crawl, or the database has lost events.");
        }

        var export = new Export(dataSource, sources, selection);
        if (arguments.GetValue(parquet) is { } folder)
        {
            await ToFolderAsync(export, folder, cancellationToken);
            return;
        }

        Func<Stream, RowFormat> toFormat = arguments.GetValue(csv) ? stream => new CsvFormat(stream, selection.Table!) : stream => new NdjsonWriter(stream);
        if (arguments.GetValue(output) is { } file)
        {
            await ToFileAsync(export, file, toFormat, cancellationToken);
            return;
        }

        await using (var standardOutput = StandardOutput.Open())
        await using (var format = toFormat(standardOutput))
        {
            await export.WriteAsync(format, showProgress: Console.IsOutputRedirected, cancellationToken);
        }

        if (export.IsIncremental)
        {
            Terminal.WriteNotice($"--after {export.Sources.Single().NextAfter} continues here.");
        }
    }

    private ExportSelection Select(IReadOnlyList<ExportSource> sources, ParseResult arguments)
    {
        var afterId = arguments.GetValue(after);
        var selected = arguments.GetValue(table) ?? (afterId is not null || arguments.GetValue(csv) ? RecordingFormat.CrawlEvents : null);
        if (selected is not null && sources.FirstOrDefault(source => !source.Tables.Contains(selected)) is { } other)
        {
            throw new UsageException(afterId is not null
                ? $"--after takes a crawl, and {other.Id} is an audit session."
                : $"{other.Id} has no {selected}: --table takes {string.Join(", ", other.Tables)} for {(other.IsCrawl ? "a crawl" : "an audit session")}.");
        }

        return new ExportSelection { Table = selected, AfterId = afterId };
    }

    private static async Task ToFolderAsync(Export export, string folder, CancellationToken cancellationToken)
    {
        await using (var format = new ParquetFolder(folder))
        {
            await export.WriteAsync(format, showProgress: true, cancellationToken);
            if (export.IsWritten)
            {
                format.Complete(export.Describe);
            }
        }

        await ReportAsync(export, folder, cancellationToken);
    }

    private static async Task ToFileAsync(Export export, string file, Func<Stream, RowFormat> toFormat, CancellationToken cancellationToken)
    {
        var partial = file + ".partial";
        try
        {
            await using (var stored = File.Create(partial))
            {
                await using (var compressed = RecordingSource.IsCompressed(file) ? new GZipStream(stored, CompressionLevel.Optimal, leaveOpen: true) : null)
                await using (var format = toFormat(compressed ?? (Stream)stored))
                {
                    await export.WriteAsync(format, showProgress: true, cancellationToken);
                }

                stored.Flush(flushToDisk: true);
            }

            if (export.IsWritten)
            {
                File.Move(partial, file, overwrite: true);
            }
        }
        finally
        {
            // Does nothing after the move.
            File.Delete(partial);
        }

        await ReportAsync(export, file, cancellationToken);
    }

    /// <summary>Says what was written: in a sentence on a terminal, and in JSON otherwise if the export is to be continued.</summary>
    private static async Task ReportAsync(Export export, string destination, CancellationToken cancellationToken)
    {
        if (!Console.IsOutputRedirected)
        {
            Console.WriteLine(export.IsWritten
                ? $"Wrote {Terminal.Format(export.Total)}, {Terminal.FormatBytes(export.Total.Bytes)}, to {destination}"
                : "No new events.");
            if (export.IsIncremental)
            {
                Console.WriteLine($"--after {export.Sources.Single().NextAfter} continues here.");
            }
        }
        else if (export.IsIncremental)
        {
            await using var rows = new RowWriter();
            await rows.WriteAsync(export.Sources.Single(), cancellationToken);
        }
    }

    private static bool TryParseTable(string token, out string name)
    {
        name = token;
        return RecordingFormat.Tables.Contains(token);
    }
}

using System.CommandLine;
using System.IO.Compression;
using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata export</c>: writes crawls and audit sessions as a recording.</summary>
internal sealed class ExportCommand : ToolCommand
{
    private readonly Argument<IdText[]> ids = new("ID")
    {
        Description = "The id of a crawl or an audit session, or its first digits. "
            + "`crawldata runs` and `crawldata sessions` list the ids. Several go into one recording.",
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result => CommandParameters.ParseAll<IdText>(result, "ID", IdText.Expected("crawl's or session"), IdText.TryParse),
    };

    private readonly Option<string?> output = new("--output")
    {
        Description = "The file to write. A name that ends in .gz is compressed. The file appears, or is replaced, once it is complete. "
            + "The default is standard output.",
        HelpName = "FILE",
    };

    public ExportCommand() : base(
        "export",
        "Exports crawls with their events, and audit sessions with all their rows, as a recording that `crawldata import` reads.")
    {
        Add(ids);
        Add(output);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var exported = new List<Guid>();
        foreach (var id in arguments.GetRequiredValue(ids))
        {
            exported.Add(await id.ToCrawlOrSessionIdAsync(dataSource, cancellationToken));
        }

        if (arguments.GetValue(output) is not { } file)
        {
            await using var standardOutput = StandardOutput.Open();
            await ExportAsync(dataSource, exported, standardOutput, showProgress: Console.IsOutputRedirected, cancellationToken);
            return;
        }

        var total = await ExportAsync(dataSource, exported, file, cancellationToken);
        if (!Console.IsOutputRedirected)
        {
            Console.WriteLine($"Wrote {Terminal.Format(total)}, {Terminal.FormatBytes(total.Bytes)} of NDJSON, to {file}");
        }
    }

    private static async Task<RecordingProgress> ExportAsync(
        NpgsqlDataSource dataSource, IReadOnlyList<Guid> ids, string file, CancellationToken cancellationToken)
    {
        var partial = file + ".partial";
        var stored = File.Create(partial);
        try
        {
            RecordingProgress exported;
            await using (stored)
            {
                exported = RecordingSource.IsCompressed(file)
                    ? await CompressAsync(dataSource, ids, stored, cancellationToken)
                    : await ExportAsync(dataSource, ids, stored, showProgress: true, cancellationToken);
                stored.Flush(flushToDisk: true);
            }

            File.Move(partial, file, overwrite: true);
            return exported;
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    private static async Task<RecordingProgress> CompressAsync(
        NpgsqlDataSource dataSource, IReadOnlyList<Guid> ids, Stream stored, CancellationToken cancellationToken)
    {
        await using var recording = new GZipStream(stored, CompressionLevel.Optimal, leaveOpen: true);
        return await ExportAsync(dataSource, ids, recording, showProgress: true, cancellationToken);
    }

    private static Task<RecordingProgress> ExportAsync(
        NpgsqlDataSource dataSource, IReadOnlyList<Guid> ids, Stream recording, bool showProgress, CancellationToken cancellationToken) =>
        showProgress
            ? Terminal.WithProgressAsync("Exporting", null, progress => ExportAsync(dataSource, ids, recording, progress, cancellationToken))
            : ExportAsync(dataSource, ids, recording, null, cancellationToken);

    private static async Task<RecordingProgress> ExportAsync(
        NpgsqlDataSource dataSource, IReadOnlyList<Guid> ids, Stream recording, IProgress<RecordingProgress>? progress, CancellationToken cancellationToken)
    {
        var exporter = new RecordingExporter(dataSource);
        var total = new RecordingProgress();
        foreach (var id in ids)
        {
            var before = total;
            var sum = progress is null ? null : Terminal.Report(one => progress.Report(Sum(before, one)));
            total = Sum(before, await ExportAsync(exporter, id, recording, sum, cancellationToken));
        }

        return total;
    }

    private static async Task<RecordingProgress> ExportAsync(
        RecordingExporter exporter, Guid id, Stream recording, IProgress<RecordingProgress>? progress, CancellationToken cancellationToken)
    {
        try
        {
            return await exporter.ExportCrawlAsync(id, recording, progress, cancellationToken);
        }
        catch (RowNotFoundException)
        {
            // Nothing was written.
        }

        try
        {
            return await exporter.ExportSessionAsync(id, recording, progress, cancellationToken);
        }
        catch (RowNotFoundException)
        {
            throw new UnknownIdException("crawl or session", id);
        }
    }

    private static RecordingProgress Sum(RecordingProgress one, RecordingProgress other) => new()
    {
        Runs = one.Runs + other.Runs,
        Events = one.Events + other.Events,
        Sessions = one.Sessions + other.Sessions,
        Pages = one.Pages + other.Pages,
        Artifacts = one.Artifacts + other.Artifacts,
        Logs = one.Logs + other.Logs,
        Bytes = one.Bytes + other.Bytes,
    };
}

using System.CommandLine;
using System.IO.Compression;
using CrawlData.Crawls;
using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Cli.Commands;

/// <summary><c>crawldata export</c>: writes a crawl as a recording.</summary>
internal sealed class ExportCommand : ToolCommand
{
    private readonly Argument<Guid> crawl = CommandParameters.Crawl();

    private readonly Option<string?> output = new("--output")
    {
        Description = "The file to write, compressed when its name ends in .gz; standard output unless given. It appears, or is replaced, when it is whole.",
        HelpName = "FILE",
    };

    public ExportCommand() : base("export", "Writes a crawl's run and events as a recording, NDJSON that `crawldata import` reads.")
    {
        Add(crawl);
        Add(output);
        SetAction(RunAsync);
    }

    private async Task RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var dataSource = Connection.Required(arguments);
        var crawlId = arguments.GetValue(crawl);
        if (arguments.GetValue(output) is not { } file)
        {
            await using var standardOutput = StandardOutput.Open();
            await ExportAsync(dataSource, crawlId, standardOutput, watched: Console.IsOutputRedirected, cancellationToken);
            return;
        }

        var exported = await ExportAsync(dataSource, crawlId, file, cancellationToken);
        if (!Console.IsOutputRedirected)
        {
            Console.WriteLine($"Wrote {Terminal.Count(exported.Events, "event")}, {Terminal.FormatBytes(exported.Bytes)} of NDJSON, to {file}");
        }
    }

    private static async Task<RecordingProgress> ExportAsync(NpgsqlDataSource dataSource, Guid crawlId, string file, CancellationToken cancellationToken)
    {
        var partial = file + ".partial";
        var stored = File.Create(partial);
        try
        {
            RecordingProgress exported;
            await using (stored)
            {
                exported = RecordingSource.IsCompressed(file)
                    ? await CompressAsync(dataSource, crawlId, stored, cancellationToken)
                    : await ExportAsync(dataSource, crawlId, stored, watched: true, cancellationToken);
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

    private static async Task<RecordingProgress> CompressAsync(NpgsqlDataSource dataSource, Guid crawlId, Stream stored, CancellationToken cancellationToken)
    {
        await using var recording = new GZipStream(stored, CompressionLevel.Optimal, leaveOpen: true);
        return await ExportAsync(dataSource, crawlId, recording, watched: true, cancellationToken);
    }

    private static async Task<RecordingProgress> ExportAsync(NpgsqlDataSource dataSource, Guid crawlId, Stream recording, bool watched, CancellationToken cancellationToken)
    {
        var exporter = new RecordingExporter(dataSource);
        if (!watched || !Terminal.ShowsProgress)
        {
            return await exporter.ExportAsync(crawlId, recording, null, cancellationToken);
        }

        var events = await new CrawlEventRepository(dataSource).CountAsync(crawlId, cancellationToken: cancellationToken);
        return await Terminal.WithProgressAsync(
            "Exporting", done => events == 0 ? 1 : (double)done.Events / events, progress => exporter.ExportAsync(crawlId, recording, progress, cancellationToken));
    }
}

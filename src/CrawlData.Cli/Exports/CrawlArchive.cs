using System.IO.Compression;
using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Cli.Exports;

/// <summary>Writes each crawl of a purge into a folder: a recording of its own, or a folder of Parquet files. Nothing is overwritten: a crawl that comes again
/// gets another name.</summary>
internal sealed class CrawlArchive(NpgsqlDataSource dataSource, string folder, bool asParquet)
{
    /// <summary>Writes crawls. They are on disk when it returns.</summary>
    public async Task WriteAsync(IReadOnlyList<Guid> crawls, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        foreach (var crawl in crawls)
        {
            var export = new Export(dataSource, [new ExportSource(crawl, IsCrawl: true)], new ExportSelection());
            try
            {
                await (asParquet ? ToFolderAsync(export, crawl, cancellationToken) : ToFileAsync(export, crawl, cancellationToken));
            }
            catch (RowNotFoundException)
            {
                // Somebody else has deleted it.
            }
        }
    }

    private async Task ToFileAsync(Export export, Guid crawl, CancellationToken cancellationToken)
    {
        var partial = Path.Combine(folder, $"{crawl}.partial");
        try
        {
            await using (var stored = File.Create(partial))
            {
                await using (var compressed = new GZipStream(stored, CompressionLevel.Optimal, leaveOpen: true))
                await using (var format = new NdjsonWriter(compressed))
                {
                    await export.WriteAsync(format, showProgress: false, cancellationToken);
                }

                stored.Flush(flushToDisk: true);
            }

            File.Move(partial, Free(crawl, ".ndjson.gz"));
        }
        finally
        {
            // Does nothing after the move.
            File.Delete(partial);
        }
    }

    private async Task ToFolderAsync(Export export, Guid crawl, CancellationToken cancellationToken)
    {
        await using var format = new ParquetFolder(Free(crawl, ""));
        await export.WriteAsync(format, showProgress: false, cancellationToken);
        format.Complete(export.Describe);
    }

    private string Free(Guid crawl, string extension) => Enumerable.Range(1, int.MaxValue)
        .Select(number => Path.Combine(folder, number == 1 ? $"{crawl}{extension}" : $"{crawl}-{number}{extension}"))
        .First(path => !Path.Exists(path));
}

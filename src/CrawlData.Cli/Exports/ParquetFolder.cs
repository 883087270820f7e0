using System.Data.Common;
using System.Text.Json;
using CrawlData.Recordings;
using ParquetSharp;

namespace CrawlData.Cli.Exports;

/// <summary>Writes rows as a folder of Parquet files, one for each table that has rows. A file gets its name once all are complete, and the manifest comes
/// last.</summary>
internal sealed class ParquetFolder : RowFormat, IDisposable
{
    private const string Extension = ".parquet";
    private const string Manifest = "manifest.json";
    private const string Partial = ".partial";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    private readonly Dictionary<string, ParquetTable> tables = [];
    private readonly string folder;
    private readonly bool isNew;

    /// <summary>Makes the folder if it is missing, and deletes what an export that did not complete has left there.</summary>
    /// <exception cref="UsageException">The folder holds other files. Nothing was changed.</exception>
    /// <exception cref="PlatformNotSupportedException">Parquet's native library does not run here. Nothing was changed.</exception>
    public ParquetFolder(string folder)
    {
        ThrowIfUnsupported();
        (this.folder, isNew) = (folder, !Directory.Exists(folder));
        Directory.CreateDirectory(folder);
        var leftovers = Directory.GetFileSystemEntries(folder);
        if (leftovers.FirstOrDefault(path => !IsLeftover(path)) is { } other)
        {
            throw new UsageException($"{folder} holds {Path.GetFileName(other)}: give --parquet a new folder, or an empty one.");
        }

        // The manifest goes last: it proves that the others may be deleted.
        Array.ForEach([.. leftovers.OrderBy(path => Path.GetFileName(path) == Manifest + Partial)], File.Delete);
    }

    public override Action<DbDataReader> Map(string table) => row =>
    {
        if (!tables.TryGetValue(table, out var file))
        {
            tables.Add(table, file = new ParquetTable(PathOf(table + Extension + Partial), row));
        }

        file.Add(row);
    };

    public override Task FlushIfFullAsync(CancellationToken cancellationToken)
    {
        foreach (var table in tables.Values.Where(table => table.IsFull))
        {
            table.WriteGroup();
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    /// <remarks>The rows wait for those of the next crawl or session: readers prefer large row groups.</remarks>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Completes the files, and gives them their names.</summary>
    /// <param name="describe">Makes the manifest for the files.</param>
    public void Complete(Func<IReadOnlyList<ExportManifest.Table>, ExportManifest> describe)
    {
        foreach (var table in tables.Values)
        {
            table.Complete();
            BytesWritten += table.Bytes;
        }

        var files = tables
            .Select(table => new ExportManifest.Table { File = table.Key + Extension, Rows = table.Value.Rows, Bytes = table.Value.Bytes })
            .ToList();
        using (var manifest = File.Create(PathOf(Manifest + Partial)))
        {
            JsonSerializer.Serialize(manifest, describe(files), Json);
            manifest.Flush(flushToDisk: true);
        }

        // From here on, the manifest under its temporary name proves that the others are of an export that did not complete.
        foreach (var name in files.Select(file => file.File).Append(Manifest))
        {
            File.Move(PathOf(name + Partial), PathOf(name));
        }
    }

    /// <summary>Closes the files, and deletes those that have no name yet. A folder that was made for nothing is deleted too.</summary>
    public void Dispose()
    {
        foreach (var (table, file) in tables)
        {
            file.Dispose();
            File.Delete(PathOf(table + Extension + Partial));
        }

        if (isNew && !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            Directory.Delete(folder);
        }
    }

    private static void ThrowIfUnsupported()
    {
        try
        {
            LogicalType.Json().Dispose();
        }
        catch (Exception exception) when (exception.GetBaseException() is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            throw new PlatformNotSupportedException(
                $"Parquet's native library does not run on {System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier}. Export NDJSON or --csv, "
                + "and let DuckDB write Parquet.",
                exception);
        }
    }

    private bool IsLeftover(string path)
    {
        var name = Path.GetFileName(path);
        var isUnfinished = File.Exists(PathOf(Manifest + Partial));
        return name == Manifest + Partial
            || RecordingFormat.Tables.Any(table => name == table + Extension + Partial || (isUnfinished && name == table + Extension));
    }

    private string PathOf(string name) => Path.Combine(folder, name);
}

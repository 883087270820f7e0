using System.IO.Compression;
using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>A line of a recording cannot be imported: <c>FILE:LINE: reason</c>.</summary>
internal sealed class RecordingLineException(string source, RecordingException cause)
    : Exception($"{source}:{cause.Line}: {cause.Reason}{(cause.InnerException is RowAlreadyExistsException ? " With --new-ids it gets another id." : "")}", cause);

/// <summary>Where a recording comes from: a file, standard input, or the tool itself.</summary>
internal sealed class RecordingSource : IAsyncDisposable
{
    public const string CarriedCrawl = "postgresql-docs.crawl.ndjson.gz";

    public const string CarriedAudits = "postgresql-docs.audit.ndjson.gz";

    private readonly Stream stored;
    private readonly Stream recording;

    private RecordingSource(string name, Stream stored, bool compressed)
    {
        Name = name;
        this.stored = stored;
        recording = compressed ? new GZipStream(stored, CompressionMode.Decompress) : stored;
    }

    public string Name { get; }

    /// <summary>Opens a file, decompressed when its name ends in <c>.gz</c>, or standard input for <c>-</c>.</summary>
    public static RecordingSource Open(string file) => file == "-"
        ? new RecordingSource(StandardInput.Name, StandardInput.Open(), compressed: false)
        : new RecordingSource(file, File.OpenRead(file), IsCompressed(file));

    /// <summary>Opens one of the recordings that the tool carries, of a real crawl and of real audits.</summary>
    public static RecordingSource OpenCarried(string name) =>
        new(name, typeof(RecordingSource).Assembly.GetManifestResourceStream(name)!, IsCompressed(name));

    public static bool IsCompressed(string file) => file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    /// <summary>Imports it, with progress where somebody is looking.</summary>
    /// <exception cref="RecordingLineException">A line cannot be imported. Nothing was stored.</exception>
    /// <exception cref="InvalidDataException">It is not compressed as its name says, or cut off. Nothing was stored.</exception>
    public async Task<RecordingImportResult> ImportAsync(NpgsqlDataSource dataSource, RecordingImportOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await Terminal.WithProgressAsync(
                "Importing",
                stored.CanSeek ? _ => (double)stored.Position / stored.Length : null,
                progress => new RecordingImporter(dataSource).ImportAsync(recording, options, progress, cancellationToken));
        }
        catch (RecordingException exception)
        {
            throw new RecordingLineException(Name, exception);
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{Name}: {exception.Message}", exception);
        }
    }

    public ValueTask DisposeAsync() => recording.DisposeAsync();
}

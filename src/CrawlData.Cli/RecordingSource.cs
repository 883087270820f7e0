using System.IO.Compression;
using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>A recording to import: a file, standard input, or a recording that is embedded in the tool.</summary>
internal sealed class RecordingSource : IAsyncDisposable
{
    public const string EmbeddedCrawl = "postgresql-docs.crawl.ndjson.gz";

    public const string EmbeddedAudits = "postgresql-docs.audit.ndjson.gz";

    private readonly Stream stored;
    private readonly Stream recording;

    private RecordingSource(string name, Stream stored, bool compressed)
    {
        Name = name;
        this.stored = stored;
        recording = compressed ? new GZipStream(stored, CompressionMode.Decompress) : stored;
    }

    public string Name { get; }

    /// <summary>Opens a file, and decompresses it when its name ends in <c>.gz</c>; or opens standard input for <c>-</c>.</summary>
    public static RecordingSource Open(string file) => file == "-"
        ? new RecordingSource(StandardInput.Name, StandardInput.Open(), compressed: false)
        : new RecordingSource(file, File.OpenRead(file), IsCompressed(file));

    /// <summary>Opens one of the embedded recordings of a real crawl and of real audits.</summary>
    public static RecordingSource OpenEmbedded(string name) =>
        new(name, typeof(RecordingSource).Assembly.GetManifestResourceStream(name)!, IsCompressed(name));

    public static bool IsCompressed(string file) => file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    /// <summary>Imports the recording, with progress on a terminal.</summary>
    /// <exception cref="RecordingLineException">A line cannot be imported. Nothing was stored.</exception>
    /// <exception cref="InvalidDataException">The compressed file is malformed or truncated. Nothing was stored.</exception>
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

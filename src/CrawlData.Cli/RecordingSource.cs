using System.IO.Compression;
using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Cli;

/// <summary>A recording to import: a file, standard input, or a recording that is embedded in the tool. It is decompressed when its first bytes are those of
/// gzip, whatever its name is.</summary>
internal sealed class RecordingSource : IAsyncDisposable
{
    public const string EmbeddedCrawl = "postgresql-docs.crawl.ndjson.gz";

    public const string EmbeddedAudits = "postgresql-docs.audit.ndjson.gz";

    private readonly StoredRecording stored;

    private RecordingSource(string name, Stream input)
    {
        Name = name;
        stored = new StoredRecording(input);
    }

    public string Name { get; }

    /// <summary>Opens a file; or standard input for <c>-</c>.</summary>
    public static RecordingSource Open(string file) => file == "-"
        ? new RecordingSource(StandardInput.Name, StandardInput.Open())
        : new RecordingSource(file, File.OpenRead(file));

    /// <summary>Opens one of the embedded recordings of a real crawl and of real audits.</summary>
    public static RecordingSource OpenEmbedded(string name) => new(name, typeof(RecordingSource).Assembly.GetManifestResourceStream(name)!);

    /// <summary>Opens one of the embedded recordings, decompressed.</summary>
    public static Stream UnpackEmbedded(string name) =>
        new GZipStream(typeof(RecordingSource).Assembly.GetManifestResourceStream(name)!, CompressionMode.Decompress);

    public static bool IsCompressed(string file) => file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    /// <summary>Imports the recording, with progress on a terminal.</summary>
    /// <exception cref="RecordingLineException">A line cannot be imported. Nothing was stored.</exception>
    public async Task<RecordingImportResult> ImportAsync(NpgsqlDataSource dataSource, RecordingImportOptions options, CancellationToken cancellationToken)
    {
        // An empty file with the name of a compressed one is a truncated one.
        var start = await stored.PeekAsync(2, cancellationToken);
        var isCompressed = start.Span is [0x1f, 0x8b] || (start.IsEmpty && IsCompressed(Name));
        await using Stream recording = isCompressed ? new UnpackedRecording(stored) : stored;
        try
        {
            return await Terminal.WithProgressAsync(
                "Importing",
                stored.Fraction is null ? null : _ => stored.Fraction ?? 0,
                progress => new RecordingImporter(dataSource).ImportAsync(recording, options, progress, cancellationToken));
        }
        catch (RecordingException exception)
        {
            throw new RecordingLineException(Name, exception, options.MaxErrors);
        }
    }

    public ValueTask DisposeAsync() => stored.DisposeAsync();
}

using System.Runtime.CompilerServices;
using CrawlData.Crawls;

namespace CrawlData.Recordings;

/// <summary>Reads events from NDJSON, for example from a crawler in another language.</summary>
/// <remarks>
/// <para>A line is one object: <c>{"event_type": "page.opened", "payload": {"url": "https://example.org/"}}</c>. It may have a <c>created_at</c>: a time in
/// ISO 8601 with its offset, with a space for the <c>T</c> too. A time without an offset makes the line invalid, and so do other properties.</para>
/// <para>An invalid line is returned with its error, and does not end the reading. Empty lines are skipped. A byte order mark before the first line is
/// ignored.</para>
/// </remarks>
/// <example>
/// <code>
/// await foreach (var line in new CrawlEventLineReader(stream).ReadAsync(cancellationToken))
/// {
///     if (line.IsValid)
///     {
///         await writer.WriteAsync(crawlId, line.Event, cancellationToken);
///     }
///     else
///     {
///         logger.LogWarning("Line {Line}: {Reason}", line.Number, line.Error.Reason);
///     }
/// }
/// </code>
/// </example>
public sealed class CrawlEventLineReader
{
    private readonly NdjsonReader lines;

    /// <summary>Initializes a reader. Nothing is read yet.</summary>
    /// <param name="input">NDJSON in UTF-8. It is read to its end, and left open. A line longer than 64 MiB is invalid, and so is a payload larger than 32
    /// MiB.</param>
    /// <exception cref="ArgumentNullException"><paramref name="input"/> is null.</exception>
    public CrawlEventLineReader(Stream input)
    {
        ArgumentNullException.ThrowIfNull(input);
        lines = new NdjsonReader(input, RecordingFormat.LargestLineBytes);
    }

    /// <summary>Gets whether U+0000, lone surrogates and bytes that are not UTF-8 are replaced with U+FFFD. Otherwise a line with one of them is
    /// invalid.</summary>
    /// <value>The default is false.</value>
    public bool Repair { get; init; }

    /// <summary>Gets the number of lines read so far, including empty and invalid ones.</summary>
    public long LinesRead => lines.Line;

    /// <summary>Reads the lines as they arrive. Call it once for a reader.</summary>
    /// <param name="cancellationToken">Cancels the reading.</param>
    /// <returns>The lines that are not empty, in their order.</returns>
    /// <exception cref="RecordingException">The input is not UTF-8 text, but for example UTF-16 or compressed. Or the stream threw <see
    /// cref="InvalidDataException"/>, as a <see cref="System.IO.Compression.GZipStream"/> does. The reading ends there.</exception>
    public async IAsyncEnumerable<CrawlEventLine> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var options = JsonbOptions.ForLine(RecordingFormat.LargestLineBytes, Repair);
        await foreach (var (bytes, error) in lines.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            yield return error is null ? Parse(bytes.Span, options, lines.Line) : new CrawlEventLine(error);
        }
    }

    private static CrawlEventLine Parse(ReadOnlySpan<byte> bytes, JsonbOptions options, long line)
    {
        try
        {
            var element = Jsonb.Parse(bytes, options).ToElement();
            return new CrawlEventLine(line, RecordingFormat.ToRow<NewCrawlEvent>(element, RecordingFormat.CrawlEvents, line));
        }
        catch (InvalidValueException exception)
        {
            return new CrawlEventLine(new RecordingException(line, exception.Message, exception));
        }
        catch (RecordingException exception)
        {
            return new CrawlEventLine(exception);
        }
    }
}

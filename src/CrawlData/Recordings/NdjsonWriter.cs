using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace CrawlData.Recordings;

/// <summary>Writes rows as NDJSON, in chunks.</summary>
internal sealed class NdjsonWriter : IDisposable
{
    private const int ChunkBytes = 64 * 1024;

    private readonly ArrayBufferWriter<byte> buffer = new(ChunkBytes);
    private readonly Stream output;
    private readonly Utf8JsonWriter writer;

    /// <summary>Initializes a writer.</summary>
    /// <param name="output">Receives NDJSON in UTF-8. It is left open.</param>
    public NdjsonWriter(Stream output)
    {
        this.output = output;
        writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = int.MaxValue });
    }

    /// <summary>The number of bytes that the output has received.</summary>
    public long BytesWritten { get; private set; }

    /// <summary>Writes a line. It reaches the output when the chunk is full, or with <see cref="FlushAsync"/>.</summary>
    public async ValueTask WriteAsync<T>(T value, CancellationToken cancellationToken)
    {
        JsonSerializer.Serialize(writer, value, RecordingFormat.Rows);
        writer.Reset();
        buffer.Write("\n"u8);
        if (buffer.WrittenCount >= ChunkBytes)
        {
            await FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes the lines of the last chunk to the output.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await output.WriteAsync(buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
        BytesWritten += buffer.WrittenCount;
        buffer.ResetWrittenCount();
    }

    public void Dispose() => writer.Dispose();
}

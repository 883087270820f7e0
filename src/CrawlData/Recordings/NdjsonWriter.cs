using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace CrawlData.Recordings;

/// <summary>Writes objects of columns as NDJSON, gathered into chunks.</summary>
internal sealed class NdjsonWriter : IDisposable
{
    private const int ChunkBytes = 64 * 1024;

    private readonly ArrayBufferWriter<byte> buffer = new(ChunkBytes);
    private readonly Stream output;
    private readonly Utf8JsonWriter writer;

    /// <param name="output">Takes UTF-8; left open.</param>
    public NdjsonWriter(Stream output)
    {
        this.output = output;
        writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = int.MaxValue });
    }

    /// <summary>What has gone to the output so far.</summary>
    public long BytesWritten { get; private set; }

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

    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await output.WriteAsync(buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
        BytesWritten += buffer.WrittenCount;
        buffer.ResetWrittenCount();
    }

    public void Dispose() => writer.Dispose();
}

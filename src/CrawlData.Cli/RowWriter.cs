using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using CrawlData.Recordings;

namespace CrawlData.Cli;

/// <summary>Writes rows to standard output as NDJSON: objects of columns in snake_case.</summary>
internal sealed class RowWriter : IAsyncDisposable
{
    private const int ChunkBytes = 64 * 1024;

    private readonly Stream output = StandardOutput.Open();
    private readonly ArrayBufferWriter<byte> buffer = new(ChunkBytes);
    private readonly Utf8JsonWriter writer;

    public RowWriter() => writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public async ValueTask WriteAsync<T>(T row, CancellationToken cancellationToken)
    {
        JsonSerializer.Serialize(writer, row, RecordingFormat.Rows);
        writer.Reset();
        buffer.Write("\n"u8);
        if (buffer.WrittenCount >= ChunkBytes)
        {
            await FlushAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await FlushAsync(CancellationToken.None);
        await writer.DisposeAsync();
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        await output.WriteAsync(buffer.WrittenMemory, cancellationToken);
        buffer.ResetWrittenCount();
    }
}

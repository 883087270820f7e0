using System.Buffers;
using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace CrawlData.Cli;

/// <summary>Writes rows to standard output as NDJSON: one object a line, its properties in snake_case.</summary>
internal sealed class RowWriter : IAsyncDisposable
{
    private const int ChunkBytes = 64 * 1024;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new UtcTimeConverter() },
    };

    private readonly PipeWriter output = PipeWriter.Create(StandardOutput.Open(), new StreamPipeWriterOptions(minimumBufferSize: ChunkBytes));
    private readonly Utf8JsonWriter json;

    public RowWriter() => json = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>Adds a row to the buffer, and writes the buffer once it is large.</summary>
    public async ValueTask WriteAsync<T>(T row, CancellationToken cancellationToken)
    {
        JsonSerializer.Serialize(json, row, Options);
        json.Reset();
        output.Write("\n"u8);
        if (output.UnflushedBytes >= ChunkBytes)
        {
            await FlushAsync(cancellationToken);
        }
    }

    public async Task FlushAsync(CancellationToken cancellationToken) => await output.FlushAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await json.DisposeAsync();
        await output.CompleteAsync();
    }
}

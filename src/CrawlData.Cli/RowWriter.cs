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

    /// <summary>Writes rows as they come.</summary>
    public static async Task WriteAllAsync<T>(IAsyncEnumerable<T> rows, CancellationToken cancellationToken)
    {
        await using var writer = new RowWriter();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var row = rows.GetAsyncEnumerator(ending.Token);
        while (true)
        {
            // Rows are buffered while the next one is there already.
            var next = row.MoveNextAsync();
            if (!next.IsCompleted)
            {
                try
                {
                    await writer.FlushAsync(cancellationToken);
                }
                catch
                {
                    // An enumerator that still waits for its next row cannot be disposed: NotSupportedException would replace this exception.
                    await ending.CancelAsync();
                    await ((Task)next.AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    throw;
                }
            }

            if (!await next)
            {
                return;
            }

            await writer.WriteAsync(row.Current, cancellationToken);
        }
    }

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

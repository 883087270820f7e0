using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>Writes crawls out of the database as recordings, which <see cref="RecordingImporter"/> reads.</summary>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
public sealed class RecordingExporter(NpgsqlDataSource dataSource)
{
    private const int ChunkBytes = 64 * 1024;

    private readonly CrawlRunRepository runs = new(dataSource);
    private readonly CrawlEventRepository events = new(dataSource);

    /// <summary>Writes a crawl's run and its events, in the order of their ids and without them, in bounded memory.</summary>
    /// <remarks>Run and events are read one after the other. A device_config of the JSON literal null becomes one that is missing, as a recording has one
    /// null.</remarks>
    /// <param name="crawlId">The crawl. While it runs, events that are appended after the export began are left out.</param>
    /// <param name="recording">Takes NDJSON in UTF-8; left open.</param>
    /// <param name="progress">Told every thousand events; may be null.</param>
    /// <param name="cancellationToken">Cancels; what was written stays.</param>
    /// <returns>How much it was.</returns>
    /// <exception cref="CrawlNotFoundException">There is no such crawl. Nothing was written.</exception>
    public async Task<RecordingProgress> ExportAsync(
        Guid crawlId, Stream recording, IProgress<RecordingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        var run = await runs.GetAsync(crawlId, null, cancellationToken).ConfigureAwait(false) ?? throw new CrawlNotFoundException([crawlId]);
        var buffer = new ArrayBufferWriter<byte>(ChunkBytes);
        var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = int.MaxValue });
        await using var disposal = writer.ConfigureAwait(false);
        var total = new RecordingProgress { Runs = 1 };

        WriteLine(RecordingFormat.CrawlRuns, run);
        await foreach (var crawlEvent in events.StreamAsync(crawlId, null, cancellationToken).ConfigureAwait(false))
        {
            WriteLine(RecordingFormat.CrawlEvents, new RecordingFormat.EventRow
            {
                CrawlId = crawlEvent.CrawlId,
                EventType = crawlEvent.EventType,
                Payload = crawlEvent.Payload,
                CreatedAt = crawlEvent.CreatedAt,
            });
            total = total with { Events = total.Events + 1 };
            if (buffer.WrittenCount >= ChunkBytes)
            {
                await FlushAsync().ConfigureAwait(false);
            }

            if (total.Events % 1_000 == 0)
            {
                progress?.Report(total);
            }
        }

        await FlushAsync().ConfigureAwait(false);
        progress?.Report(total);
        return total;

        void WriteLine<T>(string table, T row)
        {
            writer.WriteStartObject();
            writer.WriteString("table", table);
            writer.WritePropertyName("row");
            JsonSerializer.Serialize(writer, row, RecordingFormat.Rows);
            writer.WriteEndObject();
            writer.Flush();
            writer.Reset();
            buffer.Write("\n"u8);
        }

        async Task FlushAsync()
        {
            await recording.WriteAsync(buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
            total = total with { Bytes = total.Bytes + buffer.WrittenCount };
            buffer.ResetWrittenCount();
        }
    }
}

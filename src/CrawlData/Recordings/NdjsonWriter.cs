using System.Buffers;
using System.Data.Common;
using System.Text.Encodings.Web;
using System.Text.Json;
using CrawlData.Storage;

namespace CrawlData.Recordings;

/// <summary>Writes rows of tables as the lines of a recording, in chunks.</summary>
internal sealed class NdjsonWriter : RowFormat
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

    /// <inheritdoc/>
    /// <remarks>The ids of events and log lines are left out.</remarks>
    public override Action<DbDataReader> Map(string table)
    {
        var firstColumn = table is RecordingFormat.CrawlEvents or RecordingFormat.CrawlLogs ? 1 : 0;
        string[]? types = null;
        return row =>
        {
            types ??= [.. Enumerable.Range(0, row.FieldCount).Select(row.GetDataTypeName)];
            writer.WriteStartObject();
            writer.WriteString("table"u8, table);
            writer.WriteStartObject("row"u8);
            for (var column = firstColumn; column < types.Length; column++)
            {
                writer.WritePropertyName(row.GetName(column));
                WriteValue(row, column, types[column]);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.Flush();
            writer.Reset();
            buffer.Write("\n"u8);
        };
    }

    public override Task FlushIfFullAsync(CancellationToken cancellationToken) =>
        buffer.WrittenCount >= ChunkBytes ? FlushAsync(cancellationToken) : Task.CompletedTask;

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        await output.WriteAsync(buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
        BytesWritten += buffer.WrittenCount;
        buffer.ResetWrittenCount();
    }

    public override void Dispose() => writer.Dispose();

    private void WriteValue(DbDataReader row, int column, string type)
    {
        if (row.IsDBNull(column))
        {
            writer.WriteNullValue();
            return;
        }

        switch (type)
        {
            case "uuid":
                writer.WriteStringValue(row.GetGuid(column));
                break;
            case "integer":
                writer.WriteNumberValue(row.GetInt32(column));
                break;
            case "bigint":
                writer.WriteNumberValue(row.GetInt64(column));
                break;
            case "boolean":
                writer.WriteBooleanValue(row.GetBoolean(column));
                break;
            case "jsonb":
                writer.WriteRawValue(row.GetJsonb(column).Utf8.Span, skipInputValidation: true);
                break;
            case "timestamp with time zone" or "timestamp without time zone":
                writer.WriteStringValue(row.GetInstant(column).ToString());
                break;
            default:
                writer.WriteStringValue(row.GetString(column));
                break;
        }
    }
}

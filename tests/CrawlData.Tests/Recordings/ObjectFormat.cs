using System.Data.Common;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CrawlData.Recordings;
using CrawlData.Storage;

namespace CrawlData.Tests.Recordings;

/// <summary>Writes a recording by way of objects and strings, with System.Text.Json.</summary>
internal sealed class ObjectFormat : RowFormat
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = int.MaxValue };

    private static readonly JsonSerializerOptions Values = new() { Encoder = Options.Encoder };

    private readonly StringBuilder lines = new();

    public override Action<DbDataReader> Map(string table) => row =>
    {
        using var line = new MemoryStream();
        using (var writer = new Utf8JsonWriter(line, Options))
        {
            writer.WriteStartObject();
            writer.WriteString("table", table);
            writer.WriteStartObject("row");
            for (var column = table is RecordingFormat.CrawlEvents or RecordingFormat.CrawlLogs ? 1 : 0; column < row.FieldCount; column++)
            {
                writer.WritePropertyName(row.GetName(column));
                Write(row, column, writer);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        lines.Append(Encoding.UTF8.GetString(line.ToArray())).Append('\n');
    };

    public override Task FlushIfFullAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override string ToString() => lines.ToString();

    private static void Write(DbDataReader row, int column, Utf8JsonWriter writer)
    {
        if (row.IsDBNull(column))
        {
            writer.WriteNullValue();
            return;
        }

        switch (row.GetDataTypeName(column))
        {
            case "jsonb":
                writer.WriteRawValue(row.GetString(column), skipInputValidation: true);
                break;
            case "timestamp with time zone" or "timestamp without time zone":
                writer.WriteStringValue(row.GetInstant(column).ToString());
                break;
            default:
                JsonSerializer.Serialize(writer, row.GetValue(column), Values);
                break;
        }
    }
}

using System.Buffers;
using System.Data.Common;
using System.Globalization;
using System.Text;
using CrawlData.Recordings;
using CrawlData.Storage;

namespace CrawlData.Cli.Exports;

/// <summary>Writes the rows of one table as CSV (RFC 4180), in UTF-8 without a byte order mark. Texts and JSON stand in quotes, also an empty one. Null is an
/// empty field without quotes, as PostgreSQL's COPY has it.</summary>
internal sealed class CsvFormat : RowFormat
{
    private const int ChunkBytes = 64 * 1024;

    private readonly ArrayBufferWriter<byte> buffer = new(ChunkBytes);
    private readonly Stream output;

    /// <summary>Initializes the format, and writes the names of the table's columns.</summary>
    /// <param name="output">Receives CSV. It is left open.</param>
    /// <param name="table">The table.</param>
    public CsvFormat(Stream output, string table)
    {
        this.output = output;
        Encoding.UTF8.GetBytes($"{string.Join(',', RecordingFormat.ColumnsOf(table))}\r\n", buffer);
    }

    public override Action<DbDataReader> Map(string table)
    {
        string[]? types = null;
        return row =>
        {
            types ??= [.. Enumerable.Range(0, row.FieldCount).Select(row.GetDataTypeName)];
            for (var column = 0; column < types.Length; column++)
            {
                if (column > 0)
                {
                    buffer.Write(","u8);
                }

                if (!row.IsDBNull(column))
                {
                    WriteValue(row, column, types[column]);
                }
            }

            buffer.Write("\r\n"u8);
        };
    }

    public override Task FlushIfFullAsync(CancellationToken cancellationToken) =>
        buffer.WrittenCount >= ChunkBytes ? FlushAsync(cancellationToken) : Task.CompletedTask;

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        await output.WriteAsync(buffer.WrittenMemory, cancellationToken);
        BytesWritten += buffer.WrittenCount;
        buffer.ResetWrittenCount();
    }

    public override void Dispose()
    {
    }

    private void WriteValue(DbDataReader row, int column, string type)
    {
        switch (type)
        {
            case "uuid":
                Write(row.GetGuid(column));
                break;
            case "integer":
                Write(row.GetInt32(column));
                break;
            case "bigint":
                Write(row.GetInt64(column));
                break;
            case "boolean":
                buffer.Write(row.GetBoolean(column) ? "true"u8 : "false"u8);
                break;
            case "timestamp with time zone" or "timestamp without time zone":
                WriteTime(row.GetInstant(column));
                break;
            case "jsonb":
                WriteText(row.GetJsonb(column).Utf8.Span);
                break;
            default:
                WriteText(Encoding.UTF8.GetBytes(row.GetString(column)));
                break;
        }
    }

    private void WriteTime(Instant time)
    {
        if (time.IsReadable)
        {
            Write(time.ToDateTimeOffset(), "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'");
        }
        else
        {
            Encoding.UTF8.GetBytes(time.ToString(), buffer);
        }
    }

    private void Write<T>(T value, string format = "") where T : IUtf8SpanFormattable
    {
        // More than the longest of them: an id has 36 characters.
        value.TryFormat(buffer.GetSpan(64), out var written, format, CultureInfo.InvariantCulture);
        buffer.Advance(written);
    }

    private void WriteText(ReadOnlySpan<byte> utf8)
    {
        buffer.Write("\""u8);
        while (utf8.IndexOf((byte)'"') is >= 0 and var quote)
        {
            buffer.Write(utf8[..(quote + 1)]);
            buffer.Write("\""u8);
            utf8 = utf8[(quote + 1)..];
        }

        buffer.Write(utf8);
        buffer.Write("\""u8);
    }
}

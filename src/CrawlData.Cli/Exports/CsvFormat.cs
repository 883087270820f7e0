using System.Buffers;
using System.Data.Common;
using System.Globalization;
using System.Text;
using CrawlData.Recordings;
using CrawlData.Storage;

namespace CrawlData.Cli.Exports;

/// <summary>Writes the rows of one table as CSV (RFC 4180), in UTF-8 without a byte order mark. Texts and JSON stand in quotes, also an empty one. Null is an
/// empty field without quotes, as PostgreSQL's COPY has it.</summary>
internal sealed class CsvFormat : TextFormat
{
    // A text or JSON of the row that is written.
    private readonly ArrayBufferWriter<byte> utf8 = new();

    /// <summary>Initializes the format, and writes the names of the table's columns.</summary>
    /// <param name="output">Receives CSV. It is left open.</param>
    /// <param name="table">The table.</param>
    public CsvFormat(Stream output, string table) : base(output) =>
        Encoding.UTF8.GetBytes($"{string.Join(',', RecordingFormat.ColumnsOf(table))}\r\n", Buffer);

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
                    Buffer.Write(","u8);
                }

                if (!row.IsDBNull(column))
                {
                    WriteValue(row, column, types[column]);
                }
            }

            Buffer.Write("\r\n"u8);
        };
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
                Buffer.Write(row.GetBoolean(column) ? "true"u8 : "false"u8);
                break;
            case "timestamp with time zone" or "timestamp without time zone":
                WriteTime(row.GetInstant(column));
                break;
            case "jsonb":
                row.CopyJsonb(column, utf8);
                WriteText(utf8.WrittenSpan);
                break;
            default:
                row.CopyText(column, utf8);
                WriteText(utf8.WrittenSpan);
                break;
        }

        utf8.ResetWrittenCount();
    }

    private void WriteTime(Instant time)
    {
        if (time.IsReadable)
        {
            Write(time.ToDateTimeOffset(), "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'");
        }
        else
        {
            Encoding.UTF8.GetBytes(time.ToString(), Buffer);
        }
    }

    private void Write<T>(T value, string format = "") where T : IUtf8SpanFormattable
    {
        // More than the longest of them: an id has 36 characters.
        value.TryFormat(Buffer.GetSpan(64), out var written, format, CultureInfo.InvariantCulture);
        Buffer.Advance(written);
    }

    private void WriteText(ReadOnlySpan<byte> utf8)
    {
        Buffer.Write("\""u8);
        while (utf8.IndexOf((byte)'"') is >= 0 and var quote)
        {
            Buffer.Write(utf8[..(quote + 1)]);
            Buffer.Write("\""u8);
            utf8 = utf8[(quote + 1)..];
        }

        Buffer.Write(utf8);
        Buffer.Write("\""u8);
    }
}

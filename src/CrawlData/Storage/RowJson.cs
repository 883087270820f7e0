using System.Buffers;
using System.Data.Common;
using System.Globalization;
using System.Text;

namespace CrawlData.Storage;

/// <summary>Writes the rows of one result as JSON in UTF-8. A row is an object with a property for each column, in the order of the columns. A value is exactly
/// as the database has it. Texts and JSON are copied from the reader's buffer, without a string or an object for each row.</summary>
internal sealed class RowJson
{
    // More than the longest id, number or time.
    private const int LargestValueBytes = 64;

    private readonly Column[] columns;

    /// <summary>Initializes a writer for all rows of a result.</summary>
    /// <param name="row">A row of the result, for the names and types of its columns.</param>
    /// <param name="firstColumn">The first column to write.</param>
    public RowJson(DbDataReader row, int firstColumn = 0) =>
        columns = [.. Enumerable.Range(firstColumn, row.FieldCount - firstColumn).Select(ordinal => new Column(
            Encoding.UTF8.GetBytes($"{(ordinal == firstColumn ? '{' : ',')}\"{row.GetName(ordinal)}\":"), ordinal, WriterOf(row.GetDataTypeName(ordinal))))];

    /// <summary>Writes a row.</summary>
    public void Write(DbDataReader row, ArrayBufferWriter<byte> output)
    {
        foreach (var column in columns)
        {
            output.Write(column.Start);
            if (row.IsDBNull(column.Ordinal))
            {
                output.Write("null"u8);
            }
            else
            {
                column.Write(row, column.Ordinal, output);
            }
        }

        output.Write("}"u8);
    }

    private static Action<DbDataReader, int, ArrayBufferWriter<byte>> WriterOf(string type) => type switch
    {
        "uuid" => static (row, ordinal, output) => WriteQuoted(row.GetGuid(ordinal), output),
        "integer" => static (row, ordinal, output) => WriteNumber(row.GetInt32(ordinal), output),
        "bigint" => static (row, ordinal, output) => WriteNumber(row.GetInt64(ordinal), output),
        "boolean" => static (row, ordinal, output) => output.Write(row.GetBoolean(ordinal) ? "true"u8 : "false"u8),
        "jsonb" => RowReader.CopyJsonb,
        "timestamp with time zone" or "timestamp without time zone" => static (row, ordinal, output) => WriteQuoted(row.GetInstant(ordinal), output),
        _ => RowReader.CopyTextAsJson,
    };

    private static void WriteQuoted<T>(T value, ArrayBufferWriter<byte> output) where T : IUtf8SpanFormattable
    {
        output.Write("\""u8);
        WriteNumber(value, output);
        output.Write("\""u8);
    }

    private static void WriteNumber<T>(T value, ArrayBufferWriter<byte> output) where T : IUtf8SpanFormattable
    {
        value.TryFormat(output.GetSpan(LargestValueBytes), out var written, "", CultureInfo.InvariantCulture);
        output.Advance(written);
    }

    private readonly record struct Column(byte[] Start, int Ordinal, Action<DbDataReader, int, ArrayBufferWriter<byte>> Write);
}

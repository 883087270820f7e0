using System.Buffers;
using System.Data.Common;
using ParquetSharp;
using ParquetSharp.Schema;

namespace CrawlData.Cli.Exports;

/// <summary>A column of texts or of JSON.</summary>
/// <param name="name">The name.</param>
/// <param name="isJson">Whether the values are JSON.</param>
/// <param name="read">Writes a value in UTF-8.</param>
internal sealed class ParquetTexts(string name, bool isJson, Action<DbDataReader, int, ArrayBufferWriter<byte>> read) : ParquetColumn(name)
{
    private readonly ArrayBufferWriter<byte> utf8 = new();
    private readonly List<int> lengths = [];

    public override bool HasDictionary => !isJson;

    public override long BufferedBytes => utf8.WrittenCount;

    public override PrimitiveNode ToNode() => new(Name, Repetition.Optional, isJson ? LogicalType.Json() : LogicalType.String(), PhysicalType.ByteArray);

    protected override void AddValue(DbDataReader row, int ordinal)
    {
        var before = utf8.WrittenCount;
        read(row, ordinal, utf8);
        lengths.Add(utf8.WrittenCount - before);
    }

    protected override unsafe void WriteValues(ColumnWriter writer, ReadOnlySpan<short> levels)
    {
        fixed (byte* start = utf8.WrittenSpan)
        {
            var values = new ByteArray[lengths.Count];
            var next = (IntPtr)start;
            for (var index = 0; index < values.Length; index++)
            {
                values[index] = new ByteArray(next, lengths[index]);
                next += lengths[index];
            }

            ((ColumnWriter<ByteArray>)writer).WriteBatch(levels.Length, levels, [], values);
        }

        utf8.ResetWrittenCount();
        lengths.Clear();
    }
}

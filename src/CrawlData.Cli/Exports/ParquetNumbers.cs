using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ParquetSharp;
using ParquetSharp.Schema;

namespace CrawlData.Cli.Exports;

/// <summary>A column of numbers, times or truth values.</summary>
internal sealed class ParquetNumbers<T>(string name, LogicalType logicalType, PhysicalType physicalType, Func<DbDataReader, int, T> read)
    : ParquetColumn(name) where T : unmanaged
{
    private readonly List<T> values = [];

    public override long BufferedBytes => (long)values.Count * Unsafe.SizeOf<T>();

    public override PrimitiveNode ToNode() => new(Name, Repetition.Optional, logicalType, physicalType);

    protected override void AddValue(DbDataReader row, int ordinal) => values.Add(read(row, ordinal));

    protected override void WriteValues(ColumnWriter writer, ReadOnlySpan<short> levels)
    {
        ((ColumnWriter<T>)writer).WriteBatch(levels.Length, levels, [], CollectionsMarshal.AsSpan(values));
        values.Clear();
    }
}

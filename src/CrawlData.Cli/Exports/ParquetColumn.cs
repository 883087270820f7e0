using System.Data.Common;
using System.Runtime.InteropServices;
using System.Text;
using CrawlData.Storage;
using ParquetSharp;
using ParquetSharp.Schema;
using Encoding = System.Text.Encoding;

namespace CrawlData.Cli.Exports;

/// <summary>A column of a Parquet file, with the values of the row group that comes next.</summary>
/// <param name="name">The name.</param>
internal abstract class ParquetColumn(string name)
{
    // PostgreSQL counts from 2000, Parquet from 1970.
    private static readonly long MicrosecondsTo2000 = -Instant.From(DateTimeOffset.UnixEpoch).Microseconds;

    private readonly List<short> definitionLevels = [];

    public string Name => name;

    /// <summary>Gets whether values repeat so much that a dictionary makes the file smaller. A column whose dictionary grows large goes on without.</summary>
    public virtual bool HasDictionary => false;

    /// <summary>Gets the bytes that are buffered.</summary>
    public abstract long BufferedBytes { get; }

    /// <summary>Makes the column for a column of a result.</summary>
    public static ParquetColumn Of(DbDataReader row, int ordinal)
    {
        var name = row.GetName(ordinal);
        return row.GetDataTypeName(ordinal) switch
        {
            "integer" => new ParquetNumbers<int>(name, LogicalType.Int(32, isSigned: true), PhysicalType.Int32, static (row, column) => row.GetInt32(column)),
            "bigint" => new ParquetNumbers<long>(name, LogicalType.Int(64, isSigned: true), PhysicalType.Int64, static (row, column) => row.GetInt64(column)),
            "boolean" => new ParquetNumbers<bool>(name, LogicalType.None(), PhysicalType.Boolean, static (row, column) => row.GetBoolean(column)),
            "timestamp with time zone" or "timestamp without time zone" => new ParquetNumbers<long>(
                name, LogicalType.Timestamp(isAdjustedToUtc: true, TimeUnit.Micros), PhysicalType.Int64, ToMicroseconds),
            "jsonb" => new ParquetTexts(name, isJson: true, RowReader.CopyJsonb),
            "uuid" => new ParquetTexts(name, isJson: false, static (row, column, utf8) => Encoding.UTF8.GetBytes($"{row.GetGuid(column)}", utf8)),
            _ => new ParquetTexts(name, isJson: false, RowReader.CopyText),
        };
    }

    public abstract PrimitiveNode ToNode();

    /// <summary>Adds the row's value, or null.</summary>
    public void Add(DbDataReader row, int ordinal)
    {
        var isNull = row.IsDBNull(ordinal);
        definitionLevels.Add(isNull ? (short)0 : (short)1);
        if (!isNull)
        {
            AddValue(row, ordinal);
        }
    }

    /// <summary>Writes the values, and forgets them.</summary>
    public void Write(RowGroupWriter group)
    {
        using var writer = group.NextColumn();
        WriteValues(writer, CollectionsMarshal.AsSpan(definitionLevels));
        definitionLevels.Clear();
    }

    protected abstract void AddValue(DbDataReader row, int ordinal);

    protected abstract void WriteValues(ColumnWriter writer, ReadOnlySpan<short> levels);

    // DuckDB reads the greatest and the least number as infinity too.
    private static long ToMicroseconds(DbDataReader row, int ordinal)
    {
        var time = row.GetInstant(ordinal);
        return time == Instant.Infinity ? long.MaxValue
            : time == Instant.NegativeInfinity ? -long.MaxValue
            : time.Microseconds <= long.MaxValue - MicrosecondsTo2000 ? time.Microseconds + MicrosecondsTo2000
            : throw new InvalidDataException($"Parquet cannot hold the time {time} of {row.GetName(ordinal)}. NDJSON and CSV can.");
    }
}

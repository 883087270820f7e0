using System.Data.Common;
using ParquetSharp;
using ParquetSharp.IO;
using ParquetSharp.Schema;

namespace CrawlData.Cli.Exports;

/// <summary>The Parquet file of a table. All columns are optional, so that the files of all tables and versions read alike.</summary>
internal sealed class ParquetTable : IDisposable
{
    // What DuckDB reads in one task. A row group is in memory until it is complete.
    private const int RowsOfGroup = 122_880;
    private const long BytesOfGroup = 16 * 1024 * 1024;

    // Larger ones make files a sixth smaller, in twice the time.
    private const int ZstdLevel = 1;

    private readonly ParquetColumn[] columns;
    private readonly FileStream file;
    private readonly ManagedOutputStream output;
    private readonly ParquetFileWriter writer;
    private int buffered;

    /// <summary>Makes the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="row">A row of the table, for the names and types of its columns.</param>
    public ParquetTable(string path, DbDataReader row)
    {
        columns = [.. Enumerable.Range(0, row.FieldCount).Select(ordinal => ParquetColumn.Of(row, ordinal))];
        using var builder = new WriterPropertiesBuilder().Compression(Compression.Zstd).CompressionLevel(ZstdLevel);
        foreach (var column in columns.Where(column => !column.HasDictionary))
        {
            builder.DisableDictionary(column.Name);
        }

        using var properties = builder.Build();
        using var schema = new GroupNode("schema", Repetition.Required, [.. columns.Select(column => column.ToNode())]);
        file = File.Create(path);
        output = new ManagedOutputStream(file, leaveOpen: true);
        writer = new ParquetFileWriter(output, schema, properties);
    }

    public long Rows { get; private set; }

    public long Bytes => file.Length;

    public bool IsFull => buffered >= RowsOfGroup || columns.Sum(column => column.BufferedBytes) >= BytesOfGroup;

    public void Add(DbDataReader row)
    {
        for (var ordinal = 0; ordinal < columns.Length; ordinal++)
        {
            columns[ordinal].Add(row, ordinal);
        }

        buffered++;
        Rows++;
    }

    /// <summary>Writes the rows that are buffered as a row group.</summary>
    public void WriteGroup()
    {
        using var group = writer.AppendRowGroup();
        foreach (var column in columns)
        {
            column.Write(group);
        }

        buffered = 0;
    }

    /// <summary>Writes the last row group and the footer, to the disk.</summary>
    public void Complete()
    {
        if (buffered > 0)
        {
            WriteGroup();
        }

        writer.Close();
        file.Flush(flushToDisk: true);
    }

    public void Dispose()
    {
        writer.Dispose();
        output.Dispose();
        file.Dispose();
    }
}

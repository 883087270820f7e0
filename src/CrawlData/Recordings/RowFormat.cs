using System.Data.Common;

namespace CrawlData.Recordings;

/// <summary>A format that rows are exported in: rows in, bytes out. A format writes each value as the database has it, also a label or a time that this version
/// cannot read.</summary>
internal abstract class RowFormat
{
    /// <summary>The number of bytes that the output has received.</summary>
    public long BytesWritten { get; protected set; }

    /// <summary>Makes a map that takes the rows of one result. The rows reach the output with <see cref="FlushIfFullAsync"/> or
    /// <see cref="FlushAsync"/>.</summary>
    /// <param name="table">The table.</param>
    public abstract Action<DbDataReader> Map(string table);

    /// <summary>Writes what is buffered to the output if the buffer is full.</summary>
    public abstract Task FlushIfFullAsync(CancellationToken cancellationToken);

    /// <summary>Writes what is buffered to the output, after the last row of a crawl or session.</summary>
    public abstract Task FlushAsync(CancellationToken cancellationToken);
}

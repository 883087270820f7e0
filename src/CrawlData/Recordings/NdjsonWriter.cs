using System.Buffers;
using System.Data.Common;
using System.Text;
using CrawlData.Storage;

namespace CrawlData.Recordings;

/// <summary>Writes rows of tables as the lines of a recording.</summary>
/// <param name="output">Receives NDJSON in UTF-8. It is left open.</param>
internal sealed class NdjsonWriter(Stream output) : TextFormat(output)
{
    /// <inheritdoc/>
    /// <remarks>The ids of events and log lines are left out.</remarks>
    public override Action<DbDataReader> Map(string table)
    {
        var firstColumn = table is RecordingFormat.CrawlEvents or RecordingFormat.CrawlLogs ? 1 : 0;
        var start = Encoding.UTF8.GetBytes($$"""{"table":"{{table}}","row":""");
        RowJson? json = null;
        return row =>
        {
            json ??= new RowJson(row, firstColumn);
            Buffer.Write(start);
            json.Write(row, Buffer);
            Buffer.Write("}\n"u8);
        };
    }
}

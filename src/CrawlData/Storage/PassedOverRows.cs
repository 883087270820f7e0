using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;

namespace CrawlData.Storage;

/// <summary>Passes over the rows of one query that this version cannot read, so that they do not fail the other rows. It reports them once.</summary>
/// <param name="telemetry">Counts the rows.</param>
/// <param name="log">Logs their number and the first of them.</param>
internal sealed class PassedOverRows(Telemetry telemetry, ILogger log)
{
    private UnreadableRowException? first;
    private long rows;

    /// <summary>Maps a row.</summary>
    /// <returns>Whether the row is readable.</returns>
    public bool TryMap<T>(DbDataReader row, Func<DbDataReader, T> map, [MaybeNullWhen(false)] out T mapped)
    {
        try
        {
            mapped = map(row);
            return true;
        }
        catch (UnreadableRowException exception)
        {
            Add(exception, 1);
            mapped = default;
            return false;
        }
    }

    /// <summary>Adds rows that are passed over.</summary>
    public void Add(UnreadableRowException exception, long count)
    {
        first ??= exception;
        rows += count;
    }

    /// <summary>Reports the rows that were passed over, if there were any.</summary>
    public void Report()
    {
        if (first is not null)
        {
            telemetry.PassedOver(rows);
            Log.RowsPassedOver(log, rows, first.Table, first.Message);
            (first, rows) = (null, 0);
        }
    }
}

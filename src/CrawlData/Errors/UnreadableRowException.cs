namespace CrawlData;

/// <summary>Thrown when a row has a value that this version cannot hold: an enum label that it does not know, or a time that is infinite or outside the years
/// 1 to 9999. Only plain SQL, or a newer version, stores such values.</summary>
/// <remarks>
/// <para>It is thrown by a call for one row, such as <c>GetAsync</c>, and by a transition of that row, which then changes nothing. Listings, streams,
/// followers, counts and sweeps pass over such rows instead, log the event <c>RowsPassedOver</c>, and count <c>crawldata.unreadable_rows</c>. Claims and
/// rescues leave such sessions to other versions. Exports keep the values exactly.</para>
/// </remarks>
public sealed class UnreadableRowException : CrawlDataException
{
    private UnreadableRowException(string table, string rowId, string column, string reason)
        : base(rowId.Length > 0 ? $"{table} {rowId}: {column} {reason}." : $"{table}: {column} {reason}.")
    {
        Table = table;
        RowId = rowId;
        Column = column;
    }

    /// <summary>Gets the row's table.</summary>
    public string Table { get; }

    /// <summary>Gets the row's id: a UUID, or the number of an event or a log line. It is empty for a count of rows.</summary>
    public string RowId { get; }

    /// <summary>Gets the column that has the value.</summary>
    public string Column { get; }

    internal static UnreadableRowException OfLabel(string table, string rowId, string column, string label) =>
        new(table, rowId, column, $"has the label '{label}', which this version does not know");

    internal static UnreadableRowException OfTime(string table, string rowId, string column, string time) =>
        new(table, rowId, column, $"is {time}, which DateTimeOffset cannot hold");
}

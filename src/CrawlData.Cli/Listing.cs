using Spectre.Console;

namespace CrawlData.Cli;

/// <summary>Lists rows: as a table on a terminal, as NDJSON otherwise.</summary>
internal sealed class Listing<T>
{
    /// <summary>The most rows of a table when no limit is given.</summary>
    public required int DefaultRows { get; init; }

    /// <summary>Makes an empty table with the columns.</summary>
    public required Func<Table> Table { get; init; }

    /// <summary>Gets the cells of a row.</summary>
    public required Func<T, string[]> Cells { get; init; }

    /// <summary>The message in place of an empty table.</summary>
    public required string EmptyMessage { get; init; }

    /// <summary>Gets the message below a table that does not show all rows, from the last row that it shows.</summary>
    public required Func<T, string> MoreMessage { get; init; }

    /// <summary>Writes the rows.</summary>
    /// <param name="asTable">Whether to write a table.</param>
    /// <param name="limit">The most rows; when null, <see cref="DefaultRows"/> for a table and all otherwise.</param>
    /// <param name="read">Reads at most so many rows; all when null.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Whether there was a row.</returns>
    public Task<bool> WriteAsync(bool asTable, int? limit, Func<int?, IAsyncEnumerable<T>> read, CancellationToken cancellationToken) =>
        asTable ? WriteTableAsync(limit, read, cancellationToken) : WriteRowsAsync(read(limit), cancellationToken);

    private static async Task<bool> WriteRowsAsync(IAsyncEnumerable<T> rows, CancellationToken cancellationToken)
    {
        var any = false;
        await using var writer = new RowWriter();
        await foreach (var row in rows.WithCancellation(cancellationToken))
        {
            any = true;
            await writer.WriteAsync(row, cancellationToken);
        }

        return any;
    }

    private async Task<bool> WriteTableAsync(int? limit, Func<int?, IAsyncEnumerable<T>> read, CancellationToken cancellationToken)
    {
        var table = Table();
        T? last = default;
        string? more = null;

        // One row more than the table shows, to know whether there are more.
        await foreach (var row in read(limit ?? DefaultRows + 1).WithCancellation(cancellationToken))
        {
            if (limit is null && table.Rows.Count == DefaultRows)
            {
                more = MoreMessage(last!);
                break;
            }

            table.AddCells(Cells(row));
            last = row;
        }

        table.Show(EmptyMessage);
        if (more is not null)
        {
            Console.WriteLine(more);
        }

        return table.Rows.Count > 0;
    }
}

namespace CrawlData.Cli;

/// <summary>Lists rows: as a table, or as NDJSON.</summary>
internal sealed class Listing<T>
{
    /// <summary>The most rows of a table when no limit is given.</summary>
    public required int DefaultRows { get; init; }

    /// <summary>Makes the table of the rows.</summary>
    public required Func<IReadOnlyList<T>, Task<TextTable>> Table { get; init; }

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
        // One row more than the table shows, to know whether there are more.
        var rows = await read(limit ?? DefaultRows + 1).ToListAsync(cancellationToken);
        var hasMore = limit is null && rows.Count > DefaultRows;
        var shown = hasMore ? rows[..DefaultRows] : rows;
        (await Table(shown)).Show(EmptyMessage);
        if (hasMore)
        {
            Terminal.WriteLine(MoreMessage(shown[^1]));
        }

        return shown.Count > 0;
    }
}

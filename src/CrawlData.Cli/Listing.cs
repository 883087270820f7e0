using System.Runtime.CompilerServices;
using Spectre.Console;

namespace CrawlData.Cli;

/// <summary>Shows a list of rows: a table on a terminal, NDJSON otherwise.</summary>
internal sealed class Listing<T>
{
    /// <summary>How many rows a table shows unless told.</summary>
    public required int ShownUnasked { get; init; }

    /// <summary>The table's columns.</summary>
    public required Func<Table> Table { get; init; }

    /// <summary>A row's cells.</summary>
    public required Func<T, string[]> Cells { get; init; }

    /// <summary>What is said when there are no rows.</summary>
    public required string WhenEmpty { get; init; }

    /// <summary>What is said below a table that does not show all, of the last row that it shows.</summary>
    public required Func<T, string> WhenMore { get; init; }

    /// <summary>Shows or writes the rows.</summary>
    /// <param name="people">Whether it is a table.</param>
    /// <param name="limit">The most rows.</param>
    /// <param name="read">Reads so many rows; all when null.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Whether there was a row.</returns>
    public async Task<bool> ShowAsync(bool people, int? limit, Func<int?, IAsyncEnumerable<T>> read, CancellationToken cancellationToken)
    {
        var any = false;
        if (!people)
        {
            await using var rows = new RowWriter();
            await foreach (var row in read(limit).WithCancellation(cancellationToken))
            {
                any = true;
                await rows.WriteAsync(row, cancellationToken);
            }

            return any;
        }

        var table = Table();
        T? last = default;
        string? more = null;

        // One more than is shown, to know whether there are more.
        await foreach (var row in read(limit ?? ShownUnasked + 1).WithCancellation(cancellationToken))
        {
            any = true;
            if (limit is null && table.Rows.Count == ShownUnasked)
            {
                more = WhenMore(last!);
                break;
            }

            table.AddCells(Cells(row));
            last = row;
        }

        table.Show(WhenEmpty);
        if (more is not null)
        {
            Console.WriteLine(more);
        }

        return any;
    }
}

/// <summary>Reads what the library lists a page at a time.</summary>
internal static class Pages
{
    public static async IAsyncEnumerable<T> ReadAsync<T>(
        Func<int, string?, CancellationToken, Task<Page<T>>> list, int? limit, int largestPage, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var left = limit ?? int.MaxValue;
        var page = new Page<T> { Items = [] };
        do
        {
            page = await list(Math.Min(left, largestPage), page.NextCursor, cancellationToken);
            foreach (var row in page.Items)
            {
                yield return row;
            }

            left -= page.Items.Count;
        }
        while (left > 0 && page.NextCursor is not null);
    }
}

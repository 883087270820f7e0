using System.Runtime.CompilerServices;

namespace CrawlData.Cli;

/// <summary>Streams the rows of the library's listings, which return one page at a time.</summary>
internal static class Pages
{
    /// <summary>Streams the rows of a listing that returns all at once.</summary>
    public static async IAsyncEnumerable<T> ReadAsync<T>(Task<IReadOnlyList<T>> rows)
    {
        foreach (var row in await rows)
        {
            yield return row;
        }
    }

    /// <param name="list">Lists one page: its size, and the cursor after which it begins.</param>
    /// <param name="limit">The most rows; all when null.</param>
    /// <param name="largestPage">The largest size of a page.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public static async IAsyncEnumerable<T> ReadAsync<T>(
        Func<int, string?, CancellationToken, Task<Page<T>>> list,
        int? limit,
        int largestPage,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
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

namespace CrawlData;

internal static class PageBuilder
{
    /// <exception cref="InvalidValueException">The size is out of range.</exception>
    public static void RequireSize(int size, int largest)
    {
        if (size < 1 || size > largest)
        {
            throw new InvalidValueException("page_size", $"is {size}; it takes 1 to {largest}");
        }
    }

    /// <summary>Makes a page of rows that were read with one more than fits, which says whether another page follows.</summary>
    public static Page<T> Build<T>(List<T> rows, int size, Func<T, string> cursor)
    {
        if (rows.Count <= size)
        {
            return new Page<T> { Items = rows };
        }

        rows.RemoveAt(size);
        return new Page<T> { Items = rows, NextCursor = cursor(rows[^1]) };
    }
}

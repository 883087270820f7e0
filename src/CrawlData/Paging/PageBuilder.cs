namespace CrawlData;

/// <summary>Builds pages of rows.</summary>
internal static class PageBuilder
{
    /// <summary>Makes a page from the rows of a query that read one row more than the page holds. The extra row shows that another page follows.</summary>
    public static Page<T> Build<T>(List<T> rows, int pageSize, Func<T, string> cursor)
    {
        if (rows.Count <= pageSize)
        {
            return new Page<T> { Items = rows };
        }

        rows.RemoveAt(pageSize);
        return new Page<T> { Items = rows, NextCursor = cursor(rows[^1]) };
    }
}

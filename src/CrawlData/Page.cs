namespace CrawlData;

/// <summary>One page of a listing.</summary>
/// <typeparam name="T">What is listed.</typeparam>
public sealed class Page<T>
{
    /// <summary>The rows, in the listing's order; empty past the end.</summary>
    public required IReadOnlyList<T> Items { get; init; }

    /// <summary>Hand it to the same method for the rows that follow; null when this page is the last. An opaque text, safe in a URL, which does not
    /// expire; another listing, or another order or parent, refuses it.</summary>
    public string? NextCursor { get; init; }
}

internal static class Page
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
    public static Page<T> Of<T>(List<T> rows, int size, Func<T, string> cursor)
    {
        if (rows.Count <= size)
        {
            return new Page<T> { Items = rows };
        }

        rows.RemoveAt(size);
        return new Page<T> { Items = rows, NextCursor = cursor(rows[^1]) };
    }
}

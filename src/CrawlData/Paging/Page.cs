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

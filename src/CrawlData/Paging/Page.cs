namespace CrawlData;

/// <summary>One page of a listing.</summary>
/// <typeparam name="T">The type of the rows.</typeparam>
public sealed class Page<T>
{
    /// <summary>Gets the rows, in the listing's order; empty past the end. The page may be smaller than its size: rows that cannot be read are left out,
    /// and it ends once it holds 16 MiB of payloads and texts.</summary>
    public required IReadOnlyList<T> Items { get; init; }

    /// <summary>Gets the cursor of the next page; null when this page is the last. Pass it to the same method.</summary>
    /// <remarks>The cursor is opaque text, safe in a URL. It does not expire. A listing of another kind, in another order, or of another parent refuses it with
    /// <see cref="InvalidValueException"/>.</remarks>
    public string? NextCursor { get; init; }
}

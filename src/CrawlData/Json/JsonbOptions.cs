namespace CrawlData;

/// <summary>Limits for a new <see cref="Jsonb"/>, and whether text in it is repaired.</summary>
public sealed record JsonbOptions
{
    /// <summary>The largest size that can be set: 32 MiB. PostgreSQL accepts longer strings, but refuses an array with more elements than a text of this size
    /// can hold.</summary>
    internal const int LargestMaxBytes = 32 * 1024 * 1024;

    /// <summary>The deepest nesting that can be set. PostgreSQL refuses nesting that exceeds its stack, at some thousands of levels.</summary>
    internal const int LargestMaxDepth = 1_000;

    internal static readonly JsonbOptions Default = new();

    // For values from the database. PostgreSQL writes a space after each comma and colon, so white space does not count.
    internal static readonly JsonbOptions Stored = new(LargestMaxDepth, LargestMaxBytes) { IgnoresWhiteSpace = true };

    private readonly int maxDepth = 64;
    private readonly int maxBytes = 16 * 1024 * 1024;

    /// <summary>Initializes options with the default limits.</summary>
    public JsonbOptions()
    {
    }

    private JsonbOptions(int maxDepth, int maxBytes)
    {
        this.maxDepth = maxDepth;
        this.maxBytes = maxBytes;
    }

    /// <summary>Gets the deepest nesting of arrays and objects, in levels.</summary>
    /// <value>The default is 64, as in System.Text.Json. The range is 1 to 1,000.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int MaxDepth { get => maxDepth; init => maxDepth = ArgumentRange.Require(value, 1, LargestMaxDepth, nameof(MaxDepth)); }

    /// <summary>Gets the largest size of the text, in bytes of UTF-8. The limit also applies to the size with all numbers written out without
    /// exponent.</summary>
    /// <value>The default is 16,777,216 (16 MiB). The range is 1 to 33,554,432 (32 MiB).</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int MaxBytes { get => maxBytes; init => maxBytes = ArgumentRange.Require(value, 1, LargestMaxBytes, nameof(MaxBytes)); }

    /// <summary>Gets whether U+0000, lone surrogates, and bytes that are not UTF-8 are replaced with U+FFFD. Escaped characters are replaced too. Otherwise
    /// each of them causes an <see cref="InvalidValueException"/>.</summary>
    /// <value>The default is false.</value>
    public bool Repair { get; init; }

    /// <summary>Whether white space between tokens does not count as size.</summary>
    internal bool IgnoresWhiteSpace { get; private init; }

    /// <summary>Makes options for a line of NDJSON, which wraps a stored value in two more levels.</summary>
    /// <param name="maxBytes">The longest line, in bytes. It may exceed <see cref="LargestMaxBytes"/>.</param>
    /// <param name="repair">The value of <see cref="Repair"/>.</param>
    internal static JsonbOptions ForLine(int maxBytes, bool repair) => new(LargestMaxDepth + 2, maxBytes) { Repair = repair };
}

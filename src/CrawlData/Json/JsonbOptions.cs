namespace CrawlData;

/// <summary>The limits that a <see cref="Jsonb"/> is checked against when it is made, and whether crawled text in it is repaired.</summary>
public sealed record JsonbOptions
{
    /// <summary>The largest size that can be set: 32 MiB. PostgreSQL takes longer strings, but of an array with more elements than that can hold it gives
    /// up.</summary>
    internal const int LargestMaxBytes = 32 * 1024 * 1024;

    /// <summary>The deepest nesting that can be set. PostgreSQL itself gives up at the depth of its stack, some thousands of levels.</summary>
    internal const int LargestMaxDepth = 1_000;

    internal static readonly JsonbOptions Default = new();

    // For what comes out of the database: jsonb's text has a space after each comma and colon.
    internal static readonly JsonbOptions Stored = new(LargestMaxDepth, 2 * LargestMaxBytes);

    private readonly int maxDepth = 64;
    private readonly int maxBytes = 16 * 1024 * 1024;

    /// <summary>Makes options with the default limits.</summary>
    public JsonbOptions()
    {
    }

    private JsonbOptions(int maxDepth, int maxBytes)
    {
        this.maxDepth = maxDepth;
        this.maxBytes = maxBytes;
    }

    /// <summary>The most levels of arrays and objects, 1 to 1,000; 64 unless set, as in System.Text.Json.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int MaxDepth { get => maxDepth; init => maxDepth = ArgumentRange.Require(value, 1, LargestMaxDepth, nameof(MaxDepth)); }

    /// <summary>The most bytes of UTF-8, 1 to 33,554,432 (32 MiB), with its numbers as they are and with them written out; 16 MiB unless
    /// set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int MaxBytes { get => maxBytes; init => maxBytes = ArgumentRange.Require(value, 1, LargestMaxBytes, nameof(MaxBytes)); }

    /// <summary>Whether U+0000 and lone surrogates, raw or escaped, and bytes that are not UTF-8 become U+FFFD. Off unless set: then each of them is an <see
    /// cref="InvalidValueException"/>.</summary>
    public bool Repair { get; init; }

    /// <summary>For a text that wraps one value more: two levels deeper, and as long as is said.</summary>
    internal static JsonbOptions ForLine(int maxBytes, bool repair) => new(LargestMaxDepth + 2, maxBytes) { Repair = repair };
}

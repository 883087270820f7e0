namespace CrawlData;

/// <summary>The limits that a <see cref="Jsonb"/> is checked against when it is made, and whether crawled text in it is repaired.</summary>
public sealed record JsonbOptions
{
    /// <summary>The largest size that can be set: a jsonb string may hold 268,435,455 bytes, and so may all the values of one array or object
    /// together.</summary>
    public const int LargestMaxBytes = 256_000_000;

    /// <summary>The deepest nesting that can be set. PostgreSQL itself gives up at the depth of its stack, some thousands of levels.</summary>
    public const int LargestMaxDepth = 1_000;

    internal static readonly JsonbOptions Default = new();

    /// <summary>The most levels of arrays and objects, 1 to <see cref="LargestMaxDepth"/>; 64 unless set, as in System.Text.Json.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int MaxDepth
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, LargestMaxDepth);
            field = value;
        }
    } = 64;

    /// <summary>The most bytes of UTF-8, 1 to <see cref="LargestMaxBytes"/>; 16 MiB unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int MaxBytes
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, LargestMaxBytes);
            field = value;
        }
    } = 16 * 1024 * 1024;

    /// <summary>Whether U+0000 and lone surrogates, raw or escaped, and bytes that are not UTF-8 become U+FFFD. Off unless set: then each of them is an
    /// <see cref="InvalidValueException"/>.</summary>
    public bool Repair { get; init; }
}

namespace CrawlData;

/// <summary>The nouns for tables' rows in messages, such as "crawl" for a row of <c>crawl_runs</c>.</summary>
internal static class TableNoun
{
    /// <summary>Gets the noun for one row.</summary>
    public static string Of(string table) => table switch
    {
        "crawl_runs" => "crawl",
        "audit_sessions" => "session",
        "audit_pages" => "page",
        "artifacts" => "artifact",
        _ => throw new ArgumentOutOfRangeException(nameof(table)),
    };

    /// <summary>Gets the noun for one row, with a capital.</summary>
    public static string Capitalized(string table) => char.ToUpperInvariant(Of(table)[0]) + Of(table)[1..];
}

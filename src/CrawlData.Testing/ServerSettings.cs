namespace CrawlData.Testing;

/// <summary>The settings of a server of our own. Its data need not survive a crash, so nothing waits for a disk; synchronous_commit stays on, since turning
/// it off changes what a test can see of commits.</summary>
internal static class ServerSettings
{
    public static readonly IReadOnlyList<(string Name, string Value)> All =
    [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "on"),
        ("max_connections", "200"),
    ];
}

namespace CrawlData.Testing;

/// <summary>The settings of a server that this package starts. Its data need not survive a crash, so the server does not wait for the disk. synchronous_commit
/// stays on, because off would change the visible behaviour of commits. crawldata.disposable tells DatabaseDoctor that this is wanted.</summary>
internal static class ServerSettings
{
    /// <summary>The settings, for <c>postgresql.conf</c> or the command line.</summary>
    public static readonly IReadOnlyList<(string Name, string Value)> All =
    [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "on"),
        ("max_connections", "200"),
        ("crawldata.disposable", "on"),
    ];
}

using System.Net;
using CrawlData.Dashboard;

namespace CrawlData.Cli.Serving;

/// <summary>Where the tool serves its dashboard, and to whom.</summary>
internal sealed record DashboardServerOptions
{
    /// <summary>Gets the address that it listens on.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>Gets the port; 0 for any.</summary>
    public int Port { get; init; }

    /// <summary>Gets the names that a request may have as its host, beside loopback names and addresses.</summary>
    public IReadOnlyCollection<string> Hosts { get; init; } = [];

    /// <summary>Gets the token that opens the dashboard to everybody who knows it; null for a link that works once.</summary>
    public string? Token { get; init; }

    /// <summary>Gets whether browsers that have shown the token may cancel, fail and retry.</summary>
    public bool AllowActions { get; init; }

    /// <summary>Gets what sets the options of the dashboard.</summary>
    public Action<CrawlDataDashboardOptions>? Configure { get; init; }
}

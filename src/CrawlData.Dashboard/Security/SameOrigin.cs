using Microsoft.AspNetCore.Http;

namespace CrawlData.Dashboard.Security;

/// <summary>Tells whether a page of the dashboard itself sent a request that writes, and not a page of another site.</summary>
internal static class SameOrigin
{
    /// <summary>What a refused request gets.</summary>
    public const string Refusal =
        """
        An action has to come from a page of this dashboard: with Sec-Fetch-Site: same-origin, or without it with an Origin that is the host of the address.
        A program sends the header Origin.

        """;

    /// <summary>Browsers send Sec-Fetch-Site to HTTPS and to loopback addresses, and Origin with each POST. Pages cannot set either.</summary>
    public static bool IsSent(HttpRequest request) => request.Headers["Sec-Fetch-Site"] is { Count: > 0 } site
        ? site == "same-origin"
        : request.Headers.Origin is [{ } origin] && Uri.TryCreate(origin, UriKind.Absolute, out var address)
            && new HostString(address.Authority).Equals(WithoutDefaultPort(request.Host, address));

    private static HostString WithoutDefaultPort(HostString host, Uri origin) =>
        origin.IsDefaultPort && host.Port == origin.Port ? new HostString(host.Host) : host;
}

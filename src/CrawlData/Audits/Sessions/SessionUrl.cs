using System.Diagnostics.CodeAnalysis;

namespace CrawlData.Audits;

/// <summary>The URLs of sessions.</summary>
internal static class SessionUrl
{
    // Two passes suffice for every text that is known.
    private const int MostPasses = 8;

    /// <summary>Normalizes a URL.</summary>
    /// <exception cref="InvalidValueException">The text is not an absolute http or https URL, or has credentials.</exception>
    // One pass of System.Uri leaves the escapes of a text with a stray "%" as they are, and encodes that "%". The next pass decodes them. So a URL is
    // normalized until it stays the same: an export and an import must not change it.
    public static string Normalize(string url)
    {
        CrawledText.Require(url, "url");
        for (var pass = 0; pass < MostPasses; pass++)
        {
            var normalized = NormalizeOnce(url);
            if (normalized == url)
            {
                return normalized;
            }

            url = normalized;
        }

        throw NotAUrl();
    }

    /// <summary>Removes the credentials of an http or https URL, and changes nothing else.</summary>
    public static string WithoutCredentials(string url)
    {
        var start = url.IndexOf("//", StringComparison.Ordinal) + 2;
        if (start < 2 || !TryCreate(url, out var uri) || uri.UserInfo.Length == 0)
        {
            return url;
        }

        var length = url.AsSpan(start).IndexOfAny("/?#");
        var authority = length < 0 ? url[start..] : url.Substring(start, length);
        return url.Remove(start, authority.LastIndexOf('@') + 1);
    }

    private static string NormalizeOnce(string url)
    {
        if (!TryCreate(url, out var uri) || !HasHost(uri))
        {
            throw NotAUrl();
        }

        if (uri.UserInfo.Length > 0)
        {
            throw new InvalidValueException("url", "has credentials before its host, which every reader of the session would see; remove them");
        }

        // An empty fragment names nothing.
        var parts = uri.Fragment.Length > 1 ? UriComponents.AbsoluteUri : UriComponents.AbsoluteUri & ~UriComponents.Fragment;
        return uri.GetComponents(parts, UriFormat.UriEscaped);
    }

    private static bool TryCreate(string url, [NotNullWhen(true)] out Uri? uri) =>
        Uri.TryCreate(url, UriKind.Absolute, out uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps);

    private static InvalidValueException NotAUrl() => new("url", "is not an absolute http or https URL");

    // System.Uri drops some characters of a host, which can leave it empty. For some hosts only IdnHost shows that they are invalid: it throws.
    private static bool HasHost(Uri uri)
    {
        try
        {
            return uri.IdnHost.Length > 0;
        }
        catch (UriFormatException)
        {
            return false;
        }
    }
}

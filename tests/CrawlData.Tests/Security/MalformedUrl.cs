namespace CrawlData.Tests.Security;

/// <summary>URLs that are unusual, and text that is not an absolute http or https URL.</summary>
internal static class MalformedUrl
{
    private static readonly string[] Short = [.. MalformedText.Storable.Where(text => text.Length < 1_000)];

    public static readonly string[] Accepted =
    [
        "https://null/", "https://\u00A0\u3000/", .. new[] { 50, 51, 255, 256 }.Select(length => $"https://{new string('x', length)}/"),
        $"https://example.org/{new string('m', 1 << 20)}", "http://[::1]:0/", "http://xn--a/",
        "HTTP://EXAMPLE.ORG:80/../a/./b%00%FF%zz",
        .. Short.Select(text => $"https://example.org/{text}?q={text}#{text}"),
    ];

    public static readonly string[] Refused =
    [
        .. MalformedText.NotStorable, .. MalformedText.Storable,
        .. MalformedText.NotStorable.Where(text => text.Length < 1_000).SelectMany(
            text => new[] { $"https://example.org/{text}?q={text}#{text}", $"https://{text}/" }),
        .. Short.Select(text => $"https://{text}/").Except(Accepted),
        "http://", "http:///", "http://\uFFFF/", "http://a\u200Db/", "http://\u00AD/", "http://[::1", "http://1.2.3.4.5:99999/", "http://xn--\u00FC/",
        "http://a b/", "http://..../", "http://user:pass@example.org/", "javascript:alert(1)", "file:///etc/passwd",
    ];
}

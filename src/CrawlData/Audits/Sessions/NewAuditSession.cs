using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>An audit session to insert into the queue.</summary>
/// <remarks>Each property is checked when it is set.</remarks>
/// <example>
/// <code>
/// await sessions.InsertAsync(new NewAuditSession
/// {
///     Url = "https://example.org/",
///     CrawlPolicyVersion = "2026.11",
///     ConfigSnapshot = Jsonb.From(new { timeout_ms = 5_000 }),
/// });
/// </code>
/// </example>
public sealed record NewAuditSession
{
    /// <summary>The most characters of a crawl policy's version. That many fit into an entry of its index, whatever the characters are.</summary>
    internal const int LongestCrawlPolicyVersion = 500;

    // Two passes suffice for every text that is known.
    private const int MostPasses = 8;

    /// <summary>The session's id.</summary>
    /// <value>The default is null: the library makes a new UUID version 7.</value>
    public Guid? Id { get; init; }

    /// <summary>The URL to audit: an absolute http or https URL. It is normalized.</summary>
    /// <remarks>The normalized URL is <see cref="Uri.AbsoluteUri"/> without the fragment. Scheme and host are in lower case. The default port and dot segments
    /// are removed. Characters that a URL may not hold are percent-encoded. A normalized URL stays as it is when it is normalized again.</remarks>
    /// <exception cref="InvalidValueException">The value is not an absolute http or https URL, or holds U+0000 or a lone surrogate.</exception>
    public required string Url { get; init => field = Normalize(value); }

    /// <summary>The mode of the audit.</summary>
    /// <value>The default is <see cref="AuditMode.Standard"/>.</value>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public AuditMode Mode { get; init => field = EnumLabels.Require(value, "mode"); }

    /// <summary>The retention policy of the session's artifacts.</summary>
    /// <value>The default is <see cref="RetentionPolicy.Standard"/>.</value>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public RetentionPolicy RetentionPolicy { get; init => field = EnumLabels.Require(value, "retention_policy"); }

    /// <summary>The version of the session's crawl policy: 1 to 500 characters. A character is one Unicode code point.</summary>
    /// <exception cref="InvalidValueException">The value is empty, is too long, or holds U+0000 or a lone surrogate.</exception>
    public required string CrawlPolicyVersion { get; init => field = CrawledText.Require(value, "crawl_policy_version", LongestCrawlPolicyVersion); }

    /// <summary>The crawl policy as it is now, as JSON. Your auditing program chooses its form. Later changes of the policy do not change the
    /// session.</summary>
    public required Jsonb ConfigSnapshot { get; init; }

    /// <summary>The time at which the session was created, in any offset. It is stored in UTC and truncated to microseconds. The queue is ordered by
    /// it.</summary>
    /// <value>The default is null: the database's clock when the session is inserted.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedAt { get; init => field = Timestamps.Require(value, "created_at"); }

    // One pass of System.Uri leaves the escapes of a text with a stray "%" as they are, and encodes that "%". The next pass decodes them. So a URL is
    // normalized until it stays the same: an export and an import must not change it.
    private static string Normalize(string url)
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

    private static string NormalizeOnce(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps) && HasHost(uri)
            ? uri.GetComponents(UriComponents.AbsoluteUri & ~UriComponents.Fragment, UriFormat.UriEscaped)
            : throw NotAUrl();

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

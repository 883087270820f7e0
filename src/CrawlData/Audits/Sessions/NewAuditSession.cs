using CrawlData.Storage;
namespace CrawlData.Audits;

/// <summary>An audit session to be enqueued. Each property is checked where it is set and throws <see cref="InvalidValueException"/>, which names the column
/// and the limit.</summary>
public sealed record NewAuditSession
{
    /// <summary>The most characters of a crawl policy's version: so many fit into its index, whatever they are.</summary>
    internal const int LongestCrawlPolicyVersion = 500;

    /// <summary>The session's id; a new UUID version 7 when null.</summary>
    public Guid? Id { get; init; }

    /// <summary>The URL to be audited: absolute, http or https. It is kept as <see cref="Uri.AbsoluteUri"/> writes it (scheme and host in lower case, no default
    /// port, no dot segments, what must be escaped escaped), without its fragment.</summary>
    /// <exception cref="InvalidValueException">The value is anything else, or holds U+0000 or a lone surrogate.</exception>
    public required string Url { get; init => field = Normalize(value); }

    /// <summary>How much the audit keeps; standard unless set.</summary>
    public AuditMode Mode { get; init => field = EnumLabels.Require(value, "mode"); }

    /// <summary>How long its artifacts are kept; standard unless set.</summary>
    public RetentionPolicy RetentionPolicy { get; init => field = EnumLabels.Require(value, "retention_policy"); }

    /// <summary>The version of the crawl policy that it follows: 1 to 500 characters (Unicode code points).</summary>
    public required string CrawlPolicyVersion { get; init => field = CrawledText.Require(value, "crawl_policy_version", LongestCrawlPolicyVersion); }

    /// <summary>The crawl policy as it stands now, frozen for this session.</summary>
    public required Jsonb ConfigSnapshot { get; init; }

    /// <summary>When it was made, in any offset, kept in UTC and cut to microseconds; the database's clock when null. The queue goes by it.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedAt { get; init => field = Timestamps.Require(value, "created_at"); }

    private static string Normalize(string url)
    {
        CrawledText.Require(url, "url");

        return Uri.TryCreate(url, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps) && HasHost(uri)
            ? uri.GetComponents(UriComponents.AbsoluteUri & ~UriComponents.Fragment, UriFormat.UriEscaped)
            : throw new InvalidValueException("url", "is not an absolute http or https URL");
    }

    // A host of characters that System.Uri drops is none, and of some it says only when it is asked for their form in ASCII that they have none.
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

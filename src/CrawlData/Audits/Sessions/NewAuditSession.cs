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

    /// <summary>The session's id.</summary>
    /// <value>The default is null: the library makes a new UUID version 7.</value>
    public Guid? Id { get; init; }

    /// <summary>The URL to audit: an absolute http or https URL. It is normalized.</summary>
    /// <remarks>The normalized URL is <see cref="Uri.AbsoluteUri"/>. Scheme and host are in lower case. The default port, dot segments and an empty fragment
    /// are removed. Any other fragment stays, because applications route by it: <c>#/cart</c> and <c>#/login</c> are two pages. Characters that a URL may not
    /// hold are percent-encoded. A normalized URL stays as it is when it is normalized again.</remarks>
    /// <exception cref="InvalidValueException">The value is not an absolute http or https URL, or holds U+0000 or a lone surrogate. Or it has credentials, as
    /// in <c>https://user:password@example.org/</c>.</exception>
    public required string Url { get; init => field = SessionUrl.Normalize(value); }

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
    /// <exception cref="InvalidValueException">The value is larger than 32 MiB. Only a value that another writer stored can be.</exception>
    public required Jsonb ConfigSnapshot { get; init => field = JsonbValidator.RequireSize(value, "config_snapshot"); }

    /// <summary>The time at which the session was created, in any offset. It is stored in UTC and truncated to microseconds. The queue is ordered by
    /// it.</summary>
    /// <value>The default is null: the database's clock when the session is inserted.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedAt { get; init => field = Timestamps.Require(value, "created_at"); }
}

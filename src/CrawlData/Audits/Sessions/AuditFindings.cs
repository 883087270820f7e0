namespace CrawlData.Audits;

/// <summary>The findings of an attempt about its session. A property that is null leaves its column unchanged.</summary>
/// <example>
/// <code>
/// await queue.RecordFindingsAsync(session.Id, session.Attempts, new AuditFindings { FinalUrl = "https://example.org/home" });
/// </code>
/// </example>
public sealed record AuditFindings
{
    /// <summary>The URL at which the navigation ended, after redirects. It is stored as given, without normalization. Only the
    /// credentials of an http or https URL are removed.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? FinalUrl { get; init => field = value is null ? null : SessionUrl.WithoutCredentials(CrawledText.Require(value, "final_url")); }

    /// <summary>The URL of the product page (PDP) that discovery chose. It is stored as given, without normalization. Only the
    /// credentials of an http or https URL are removed.</summary>
    /// <value>The default is null.</value>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? PdpUrl { get; init => field = value is null ? null : SessionUrl.WithoutCredentials(CrawledText.Require(value, "pdp_url")); }

    /// <summary>Whether confidence in the session's findings is low.</summary>
    /// <value>The default is null.</value>
    public bool? LowConfidence { get; init; }
}

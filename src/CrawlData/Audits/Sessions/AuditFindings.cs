namespace CrawlData.Audits;

/// <summary>What an attempt finds out about its session; a property that is null leaves what stands.</summary>
public sealed record AuditFindings
{
    /// <summary>Where the navigation ended, after redirects; kept as it is given.</summary>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? FinalUrl { get; init => field = value is null ? null : CrawledText.Require(value, "final_url"); }

    /// <summary>The product page that discovery chose; kept as it is given.</summary>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? PdpUrl { get; init => field = value is null ? null : CrawledText.Require(value, "pdp_url"); }

    /// <summary>Whether the findings are to be taken with care.</summary>
    public bool? LowConfidence { get; init; }
}

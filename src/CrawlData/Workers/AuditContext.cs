using CrawlData.Audits;

namespace CrawlData.Workers;

/// <summary>The session that a handler audits.</summary>
public sealed class AuditContext
{
    internal AuditContext(AuditSession session) => Session = session;

    /// <summary>Gets the session as it was claimed. <see cref="AuditSession.Attempts"/> is the fencing token for further changes of it.</summary>
    public AuditSession Session { get; }

    internal string? Missing { get; private set; }

    /// <summary>Lets the session end as partial instead of completed when the handler returns.</summary>
    /// <param name="errorSummary">The missing results, and the reason. Pass text from a crawled page through <see cref="CrawledText.Repair"/> first.</param>
    /// <exception cref="InvalidValueException">The summary holds U+0000 or a lone surrogate.</exception>
    public void CompletePartially(string errorSummary) => Missing = CrawledText.Require(errorSummary, "error_summary");
}

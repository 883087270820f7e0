using CrawlData.Audits;
using CrawlData.Dashboard.Reads;

namespace CrawlData.Dashboard.Screens;

/// <summary>An audit session in a list.</summary>
/// <param name="Session">The session.</param>
/// <param name="IsStale">Whether it is running, and has had no sign of life for a while.</param>
internal sealed record SessionRow(AuditSession Session, bool IsStale)
{
    public object Twin => new { Session, IsStale };

    /// <summary>Adds marks to sessions. Only sessions that were created a while ago cost the look for log lines and heartbeats.</summary>
    public static async Task<IReadOnlyList<SessionRow>> OfAsync(
        IReadOnlyList<AuditSession> sessions, RowReads rows, DateTimeOffset now, TimeSpan staleAfter)
    {
        var silent = sessions.Any(session => session.Status == AuditSessionStatus.Running && now - session.CreatedAt >= staleAfter)
            ? (await rows.ListSilentSessionsAsync().ConfigureAwait(false)).Select(session => session.Id).ToHashSet()
            : [];
        return [.. sessions.Select(session => new SessionRow(session, silent.Contains(session.Id)))];
    }
}

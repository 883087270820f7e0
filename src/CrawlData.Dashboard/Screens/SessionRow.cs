using CrawlData.Audits;
using CrawlData.Dashboard.Reads;

namespace CrawlData.Dashboard.Screens;

/// <summary>An audit session in a list.</summary>
/// <param name="Session">The session.</param>
/// <param name="IsStale">Whether it is running, and has had no sign of life for a while.</param>
/// <param name="DelayedUntil">The time until which no worker claims it; null when it does not wait for a time.</param>
internal sealed record SessionRow(AuditSession Session, bool IsStale, DateTimeOffset? DelayedUntil = null)
{
    public object Twin => new { Session, IsStale, DelayedUntil };

    /// <summary>Adds marks to sessions. Only sessions that were created a while ago cost the look for log lines and heartbeats, and only those that were tried
    /// the look for delays.</summary>
    public static async Task<IReadOnlyList<SessionRow>> OfAsync(
        IReadOnlyList<AuditSession> sessions, RowReads rows, DateTimeOffset now, TimeSpan staleAfter)
    {
        var old = sessions.Where(session => session.Status == AuditSessionStatus.Running && now - session.CreatedAt >= staleAfter);
        var silent = await rows.FindSilentSessionsAsync(old.Select(session => session.Id)).ConfigureAwait(false);
        var tried = sessions.Where(session => session is { Status: AuditSessionStatus.Queued, Attempts: > 0 });
        var delays = await rows.FindDelaysAsync([.. tried.Select(session => session.Id)]).ConfigureAwait(false);
        return
        [
            .. sessions.Select(session => new SessionRow(
                session, silent.Contains(session.Id), delays.TryGetValue(session.Id, out var until) ? until : null)),
        ];
    }
}

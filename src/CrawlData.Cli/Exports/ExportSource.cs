using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Cli.Exports;

/// <summary>A crawl or an audit session to export.</summary>
internal sealed record ExportSource(Guid Id, bool IsCrawl)
{
    public string[] Tables => IsCrawl ? RecordingFormat.CrawlTables : RecordingFormat.SessionTables;

    /// <summary>Finds the crawl or the session.</summary>
    /// <exception cref="UnknownIdException">There is no such crawl or session.</exception>
    public static async Task<ExportSource> FindAsync(NpgsqlDataSource dataSource, IdText id, CancellationToken cancellationToken)
    {
        var whole = await id.ToCrawlOrSessionIdAsync(dataSource, cancellationToken);
        var (runs, sessions) = (new CrawlRunRepository(dataSource), new AuditSessionRepository(dataSource));
        return await runs.FindIdsAsync($"{whole}", 1, cancellationToken: cancellationToken) is [_] ? new ExportSource(whole, IsCrawl: true)
            : await sessions.FindIdsAsync($"{whole}", 1, cancellationToken: cancellationToken) is [_] ? new ExportSource(whole, IsCrawl: false)
            : throw new UnknownIdException("crawl or session", whole);
    }
}

using CrawlData.Audits;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Recordings;

/// <summary>The repositories of the tables that a recording holds.</summary>
internal sealed class RecordingTables(NpgsqlDataSource dataSource)
{
    public CrawlRunRepository Runs { get; } = new(dataSource);

    public CrawlEventRepository Events { get; } = new(dataSource);

    public AuditSessionRepository Sessions { get; } = new(dataSource);

    public AuditPageRepository Pages { get; } = new(dataSource);

    public ArtifactRepository Artifacts { get; } = new(dataSource);

    public CrawlLogRepository Logs { get; } = new(dataSource);
}

using CrawlData.Audits;
using CrawlData.Diagnostics;
using CrawlData.Retention;
using Dapper;

namespace CrawlData.Tests.Audits;

/// <summary>Each range query uses its index at 50,000 sessions and 100,000 rows of each of their tables, with custom and with generic plans.</summary>
public sealed class QueryPlanTests : DatabaseTest
{
    private const string QueueIndex = "ix_audit_sessions_status_created_at";
    private const string Log = "ix_crawl_logs_session_timestamp";
    private const string Expiry = "ix_artifacts_retention_until";
    private const string LastKey = "'ffffffff-ffff-ffff-ffff-ffffffffffff'";

    private static readonly Dictionary<string, string> FirstPage = new()
    {
        ["session_id"] = "'00000000-0000-7000-8000-000000000032'",
        ["statuses"] = "'{queued,running,completed,failed,partial}'",
        ["after_time"] = "'-infinity'",
        ["after_id"] = "-9223372036854775808",
        ["after_key"] = "'00000000-0000-0000-0000-000000000000'",
        ["before_time"] = "'infinity'",
        ["before_id"] = "9223372036854775807",
        ["before_key"] = LastKey,
        ["include_deleted"] = "false",
        ["silent_for"] = "'5 minutes'",
        ["mark"] = "99000",
        ["age"] = "'30 days'",
        ["within"] = "'7 days'",
        ["cutoff"] = "'2026-01-02'",
        ["abandon_artifacts"] = "false",
        ["ids"] = $"'{{{string.Join(',', Enumerable.Range(1, 100).Select(number => $"00000000-0000-7000-8000-{number:x12}"))}}}'",
        ["limit"] = "100",
    };

    [OneTimeSetUp]
    public async Task FillAsync()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            create function pg_temp.id_of(number int) returns uuid immutable language sql
                return ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid;

            alter table audit_sessions set (autovacuum_enabled = off);
            alter table audit_pages set (autovacuum_enabled = off);
            alter table artifacts set (autovacuum_enabled = off);
            alter table crawl_logs set (autovacuum_enabled = off);
            insert into audit_sessions (id, url, status, created_at, mode, retention_policy, crawl_policy_version, config_snapshot)
            select pg_temp.id_of(number), 'https://example.org/',
                   case when number % 500 = 0 then 'running' when number % 5 = 0 then 'queued' else 'completed' end::audit_session_status_enum,
                   timestamptz '2026-01-01' + number * interval '1 minute', 'standard', 'standard', '1', '{}'
            from generate_series(0, 49999) as number;
            insert into audit_pages (id, session_id, page_type, viewport, status, load_timings, low_confidence_reasons)
            select pg_temp.id_of(number), pg_temp.id_of(number / 2), 'homepage', 'desktop', 'ok', '{}', '[]' from generate_series(0, 99999) as number;
            insert into artifacts (session_id, page_id, type, storage_uri, size_bytes, retention_until, deleted_at)
            select pg_temp.id_of(number / 2), pg_temp.id_of(number), 'screenshot', '', 1, now() + number % 1000 * interval '1 day',
                   case when number % 10 = 0 then now() - number % 1000 * interval '1 hour' end
            from generate_series(0, 99999) as number;
            insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
            select pg_temp.id_of(number % 1000 * 50), 'info', 'navigation', '', '{}', timestamptz '2026-01-01' + number * interval '1 second'
            from generate_series(0, 99999) as number;
            analyze audit_sessions, audit_pages, artifacts, crawl_logs;
            """);
    }

    private static IEnumerable<TestCaseData> Queries() =>
    [
        Case("ClaimNextSql", AuditSessionQueue.ClaimNextSql, [QueueIndex], "status = 'queued'"),
        Case("ListNewestSql", AuditSessionRepository.ListNewestSql, [QueueIndex], "status = "),
        Case("ListNewestSql after a row", AuditSessionRepository.ListNewestSql, [QueueIndex], "created_at", "before_time", "'2026-01-20'"),
        Case(
            "ListNewestSql, a range",
            AuditSessionRepository.ListNewestSql,
            [QueueIndex],
            "created_at",
            "before_time",
            "'2026-01-20'",
            "after_time",
            "'2026-01-9'"),
        Case("ListOldestSql", AuditSessionRepository.ListOldestSql, [QueueIndex], "status = "),
        Case("ListOldestSql after a row", AuditSessionRepository.ListOldestSql, [QueueIndex], "created_at", "after_time", "'2026-01-20'"),
        Case("ListStaleSql", AuditSessionQueue.ListStaleSql, [QueueIndex, Log], "status = 'running'"),
        Case("ListSilentSql", AuditSessionQueue.ListSilentSql, [QueueIndex, Log], "status = 'running'"),
        Case("LockStaleSql", AuditSessionQueue.LockStaleSql, [QueueIndex, Log], "status = 'running'"),
        Case("RescueStaleSql", AuditSessionQueue.RescueStaleSql, [Log], "(id = ANY|status = 'running')", "max_attempts", "3"),
        Case("AuditPageRepository.ListSql", AuditPageRepository.ListSql, ["ix_audit_pages_session_page_viewport"], "session_id = "),
        Case("ArtifactRepository.ListSql", ArtifactRepository.ListSql, ["ix_artifacts_session_type"], "session_id = "),
        Case("ArtifactRepository.TotalsByTypeSql", ArtifactRepository.TotalsByTypeSql, ["ix_artifacts_session_type"], "session_id = "),
        Case("CrawlLogStatements.ReadSql", CrawlLogStatements.ReadSql, [Log], "session_id = "),
        Case("CrawlLogStatements.ReadSql after a line", CrawlLogStatements.ReadSql, [Log], "timestamp", "after_time", "'2026-01-02'", "after_id", "50000"),
        Case("CrawlLogStatements.ReadSql, range", CrawlLogStatements.ReadSql, [Log], "timestamp", "after_time", "'2026-01-1'", "before_time", "'2026-01-2'"),
        Case("CrawlLogStatements.ReadSql of a stream", CrawlLogStatements.ReadSql, [Log], "session_id = ", "limit", "null", "levels", "array['error']"),
        Case("CrawlLogRepository.ReadNewestSql", CrawlLogRepository.ReadNewestSql, [Log], "session_id = "),
        Case("CrawlLogRepository.ReadNewestSql before a line", CrawlLogRepository.ReadNewestSql, [Log], "timestamp", "before_time", "'2026-01-02'"),
        Case("ListExpiringSql of the expired", ArtifactRepository.ListExpiringSql, [Expiry], "retention_until <= ", "within", "'0'"),
        Case("ListExpiringSql", ArtifactRepository.ListExpiringSql, [Expiry], "ROW", "after_time", "null", "after_key", LastKey),
        Case("ListExpiringSql after an artifact", ArtifactRepository.ListExpiringSql, [Expiry], "ROW", "after_time", "now() + interval '1 day'"),
        Case("TotalExpiringSql", ArtifactRepository.TotalExpiringSql, [Expiry], "retention_until > now"),
        Case("ListExpiredSql", ArtifactSweeper.ListExpiredSql, [Expiry], "retention_until"),
        Case("DeleteMarkedSql", RetentionPurger.DeleteMarkedSql, ["ix_artifacts_deleted_at", "artifacts_pkey"], "deleted_at < "),
        Case("DatabaseStatusReader.ExpiredSql", DatabaseStatusReader.ExpiredSql, [Expiry], "retention_until <= now"),
        Case("DatabaseStatusReader.OldestSessionsSql", DatabaseStatusReader.OldestSessionsSql, [QueueIndex], "status = "),
        Case("LockSessionsSql", RetentionPurger.LockSessionsSql, ["audit_sessions_pkey"], "id = ANY"),
        Case("ListDeletableSessionsSql", RetentionPurger.ListDeletableSessionsSql, ["audit_sessions_pkey", Log, "ix_artifacts_session_type"], "id = ANY"),
        Case("ListOldSessionsSql", RetentionPurger.ListOldSessionsSql, [QueueIndex, Log], "created_at < "),
    ];

    [TestCaseSource(nameof(Queries))]
    public async Task A_range_query_uses_its_indexes(string sql, string[] indexes, string condition, string[] literals)
    {
        foreach (var mode in QueryPlan.Modes)
        {
            var plan = await QueryPlan.ExplainAsync(DataSource, mode, sql, FirstPage, literals);
            Assert.That(plan, Does.Not.Contain("Seq Scan"));
            Assert.That(plan, Does.Match($"Index Cond: .*{condition}"), mode);
            foreach (var index in indexes)
            {
                Assert.That(plan, Does.Contain(index));
            }
        }
    }

    private static TestCaseData Case(string name, string sql, string[] indexes, string condition, params string[] literals) =>
        new TestCaseData(sql, indexes, condition, literals).SetArgDisplayNames(name);
}

using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Audits.CrawlLogStatements;

namespace CrawlData.Audits;

/// <summary>The last lines of a session's log.</summary>
public sealed partial class CrawlLogRepository
{
    internal const string ReadNewestSql =
        $"select {Columns} from crawl_logs {Condition} order by session_id desc, timestamp desc, id desc limit @limit";

    /// <summary>Lists the lines of a session's log in the reverse order of timestamps and ids, the newest first, a page at a time.</summary>
    /// <param name="sessionId">The session. An unknown session has no lines.</param>
    /// <param name="filter">Which lines; all when null. Pass the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most lines on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The last page's <see cref="Page{T}.NextCursor"/>; null for the first page.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="ArgumentOutOfRangeException">The page size is out of range.</exception>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned for this session.</exception>
    public Task<Page<CrawlLog>> ListNewestAsync(
        Guid sessionId,
        CrawlLogFilter? filter = null,
        int pageSize = 1_000,
        string? cursor = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(pageSize, 1, MaxPageSize);
        filter ??= CrawlLogFilter.All;

        // Lines of the cursor's session are before the end of the range, so a cursor is the narrower bound.
        var end = cursor is null
            ? filter.TimestampBefore is { } before
                ? new KeysetCursor<long>(Instant.From(before), long.MinValue)
                : new KeysetCursor<long>(Instant.Infinity, long.MaxValue)
            : KeysetCursor<long>.Decode(cursor, CursorKind.LogsNewestFirst, sessionId);
        var start = Instant.From(filter.TimestampFrom);
        var parameters = new Parameters
        {
            { "session_id", NpgsqlDbType.Uuid, sessionId },
            { "after_time", NpgsqlDbType.TimestampTz, start ?? Instant.NegativeInfinity },
            { "after_id", NpgsqlDbType.Bigint, long.MinValue },
            { "before_time", NpgsqlDbType.TimestampTz, end.Time },
            { "before_id", NpgsqlDbType.Bigint, end.Id },
            { "levels", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Levels.ToLabels() },
            { "event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.EventTypes.ToLabels() },
        };
        return reads.QueryPageAsync(
            ReadNewestSql,
            parameters,
            pageSize,
            Map,
            row => new KeysetCursor<long>(row.GetInstant(6), row.GetInt64(0)),
            Bytes,
            last => last.Encode(CursorKind.LogsNewestFirst, sessionId),
            PassedOver(),
            transaction,
            cancellationToken);
    }
}

using System.Data.Common;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

/// <summary>The SQL of <c>crawl_logs</c>, its parameters, and the mapping of its rows.</summary>
internal sealed class CrawlLogStatements : AppendStatements<NewCrawlLog>
{
    internal const string LogsTable = "crawl_logs";

    // In the order in which Map reads them.
    internal const string Columns = "id, session_id, level::text, event_type::text, message, details, timestamp";

    // The session's row is locked as a foreign key's check locks it. So no row means an unknown session, and not one that is being deleted.
    internal const string InsertSql =
        $"""
        with sessions as materialized (
            select id from audit_sessions where id = any ($1) order by id for key share
        ), inserted as (
            insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
            select coalesce(session_id, ($1)[1]), level::log_level_enum, event_type::event_type_enum, message, details::jsonb,
                   coalesce(timestamp, pg_catalog.now())
            from unnest($2, $3, $4, $5, $6, $7)
                with ordinality as lines (session_id, level, event_type, message, details, timestamp, position)
            where (select pg_catalog.count(*) from sessions) = pg_catalog.cardinality($1)
            order by position
            returning id
        )
        select pg_catalog.array_agg(id order by id) from inserted
        """;

    // The empty insert takes the table's lock before an id is drawn, as InsertSql does. HighWaterMark waits for the transactions that hold that lock.
    internal const string ReserveSql =
        $"""
        with table_lock as (
            insert into crawl_logs (session_id, level, event_type, message, details)
            select null::uuid, null::log_level_enum, null::event_type_enum, null, null::jsonb where false
        ), sessions as materialized (
            select id from audit_sessions where id = any ($1) order by id for key share
        )
        select array(
                   select pg_catalog.nextval('crawl_logs_id_seq')
                   from pg_catalog.generate_series(1, case locked.sessions when pg_catalog.cardinality($1) then $2 else 0 end)),
               pg_catalog.row_security_active('crawl_logs')
        from (select pg_catalog.count(*) as sessions from sessions) as locked
        """;

    internal const string IdentitySql = $"{TransactionIdentity.Query} /* of crawl_logs */";

    // It waits for the appends' locks, which are weaker.
    internal const string LockParentSql = "select id from audit_sessions where id = @parent_id for update";

    internal const string RowIsOfTransactionSql =
        "select timestamp = @transaction_start from crawl_logs where id = @row_id and session_id = @parent_id";

    internal const string CopySql = "copy crawl_logs (id, session_id, level, event_type, message, details, timestamp) from stdin (format binary)";

    internal const string GetSql = $"select {Columns} from crawl_logs where session_id = @session_id and id = @row_id";

    // The bounds come from the cursor or the range. Ids order the lines of one timestamp.
    internal const string Condition =
        """
        where session_id = @session_id
          and (timestamp, id) > (@after_time, @after_id)
          and (timestamp, id) < (@before_time, @before_id)
          and (@levels is null or level operator(pg_catalog.=) any (@levels::log_level_enum[]))
          and (@event_types is null or event_type operator(pg_catalog.=) any (@event_types::event_type_enum[]))
        """;

    internal const string ReadSql = $"select {Columns} from crawl_logs {Condition} order by session_id, timestamp, id limit @limit";

    public static readonly CrawlLogStatements Instance = new();

    public override string Table => LogsTable;

    public override string ParentTable => AuditSessionRepository.Table;

    public override string RowsName => "lines";

    public override string Insert => InsertSql;

    public override string Reserve => ReserveSql;

    public override string Copy => CopySql;

    public override string UnknownParents => AuditPageRepository.UnknownSessionsSql;

    public override string Identity => IdentitySql;

    public override string LockParent => LockParentSql;

    public override string RowIsOfTransaction => RowIsOfTransactionSql;

    // A UTF-16 unit has at most three bytes in UTF-8.
    public override int BytesOf(NewCrawlLog row) => row.Details.Utf8.Length + (3 * row.Message.Length);

    public override Instant? TimeOf(NewCrawlLog row) => row.TimestampInstant;

    public override void AddColumns(NpgsqlParameterCollection parameters, IReadOnlyList<NewCrawlLog> rows)
    {
        parameters.AddTexts(rows, static row => row.Level.ToLabel());
        parameters.AddTexts(rows, static row => row.EventType.ToLabel());
        parameters.AddTexts(rows, static row => row.Message);
        parameters.AddTexts(rows, static row => row.Details.Utf8);
        parameters.AddTimes("timestamp with time zone[]", rows, static row => row.TimestampInstant);
    }

    public override short CopyColumns => 7;

    public override async ValueTask WriteAsync(BinaryCopy copy, NewCrawlLog row)
    {
        await copy.WriteAsync(row.Level.ToLabel()).ConfigureAwait(false);
        await copy.WriteAsync(row.EventType.ToLabel()).ConfigureAwait(false);
        await copy.WriteAsync(row.Message).ConfigureAwait(false);
        await copy.WriteJsonbAsync(row.Details.Utf8).ConfigureAwait(false);
    }

    // A page ends at these bytes.
    public static long Bytes(CrawlLog line) => line.Details.Utf8.Length + line.Message.Length;

    public static CrawlLog Map(DbDataReader row) => Map(row, 0);

    /// <summary>Maps a line.</summary>
    /// <param name="row">The row.</param>
    /// <param name="first">The first of the line's columns.</param>
    public static CrawlLog Map(DbDataReader row, int first) => new()
    {
        Id = row.GetInt64(first),
        SessionId = row.GetGuid(first + 1),
        Level = row.GetLabel<CrawlLogLevel>(LogsTable, first + 2),
        EventType = row.GetLabel<CrawlLogEventType>(LogsTable, first + 3),
        Message = row.GetString(first + 4),
        Details = row.GetJsonb(first + 5),
        Timestamp = row.GetTime(LogsTable, first + 6),
    };

    /// <summary>Makes the parameters of <see cref="ReadSql"/> for all lines.</summary>
    public static Parameters ToStreamParameters(Guid sessionId, CrawlLogFilter? filter)
    {
        var parameters = ToReadParameters(sessionId, filter);
        parameters.Add("limit", NpgsqlDbType.Bigint, null);
        return parameters;
    }

    /// <summary>Makes the parameters of <see cref="ReadSql"/> without the limit.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="filter">Which lines; all when null.</param>
    /// <param name="cursor">Only lines after it. If the filter has a start too, the later of the two applies.</param>
    public static Parameters ToReadParameters(Guid sessionId, CrawlLogFilter? filter, KeysetCursor<long>? cursor = null)
    {
        filter ??= CrawlLogFilter.All;
        if (Instant.From(filter.TimestampFrom) is { } start && (cursor is null || cursor.Value.Time.Microseconds < start.Microseconds))
        {
            cursor = new KeysetCursor<long>(start, long.MinValue);
        }

        return new Parameters
        {
            { "session_id", NpgsqlDbType.Uuid, sessionId },
            { "after_time", NpgsqlDbType.TimestampTz, cursor?.Time ?? Instant.NegativeInfinity },
            { "after_id", NpgsqlDbType.Bigint, cursor?.Id ?? long.MinValue },
            { "before_time", NpgsqlDbType.TimestampTz, Instant.From(filter.TimestampBefore) ?? Instant.Infinity },
            { "before_id", NpgsqlDbType.Bigint, filter.TimestampBefore is null ? long.MaxValue : long.MinValue },
            { "levels", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Levels.ToLabels() },
            { "event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.EventTypes.ToLabels() },
        };
    }
}

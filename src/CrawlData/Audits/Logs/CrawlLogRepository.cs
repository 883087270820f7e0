using System.Data.Common;
using CrawlData.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData.Audits;

/// <summary>The table <c>crawl_logs</c>: each session's log. Safe for use by many tasks at once.</summary>
/// <remarks>
/// <para><b>Order.</b> A log is read by its timestamps, which are its writers' to give, and not by commit: reading one that is still written, a line that is
/// committed late may lie before the cursor. Whoever must have every line reads again when the session has ended.</para>
/// <para>Methods that write take the caller's transaction; without one each is a transaction of its own. Writers do not wait for each other. Errors of the server
/// and of the connection come as <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
/// <param name="readDataSource">Where what only reads goes when it is in no transaction, to list and stream: a hot standby, say, which lags behind.
/// What is appended, or got by its id, does not go there. The data source when null.</param>
/// <param name="retry">How long appends are tried again and settled; the defaults when null.</param>
/// <param name="logger">Told of what is tried again, and of what became of it; may be null.</param>
public sealed class CrawlLogRepository(
    NpgsqlDataSource dataSource, NpgsqlDataSource? readDataSource = null, RetryOptions? retry = null, ILogger<CrawlLogRepository>? logger = null)
{
    private const string Table = "crawl_logs";

    /// <summary>The most lines on a page.</summary>
    public const int MaxPageSize = 10_000;

    // In the order in which Read takes them.
    private const string Columns = "id, session_id, level::text, event_type::text, message, details, timestamp";

    // The session's row is locked as a foreign key's check would lock it, so that no row means an unknown session and not one just deleted.
    internal const string InsertSql =
        """
        with sessions as materialized (
            select id from audit_sessions where id = any (@parent_ids) order by id for key share
        )
        insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
        select session_id, level::log_level_enum, event_type::event_type_enum, message, details::jsonb, coalesce(timestamp, now())
        from unnest(@row_parent_ids, @levels, @event_types, @messages, @details, @timestamps)
            with ordinality as lines (session_id, level, event_type, message, details, timestamp, position)
        where (select count(*) from sessions) = cardinality(@parent_ids)
        order by position
        returning id, pg_current_xact_id(), now()
        """;

    internal const string ReserveSql =
        """
        with sessions as materialized (
            select id from audit_sessions where id = any (@parent_ids) order by id for key share
        )
        select array(select nextval('crawl_logs_id_seq') from generate_series(1, case locked.sessions when cardinality(@parent_ids) then @rows else 0 end)),
               pg_current_xact_id(),
               now()
        from (select count(*) as sessions from sessions) as locked
        """;

    internal const string TimeSql = "select timestamp from crawl_logs where id = @row_id and session_id = @parent_id";

    internal const string CopySql = "copy crawl_logs (id, session_id, level, event_type, message, details, timestamp) from stdin (format binary)";

    internal const string GetSql = $"select {Columns} from crawl_logs where session_id = @session_id and id = @row_id";

    // A page's cursor, or the range, says where it begins and ends; ids part what happened at one time.
    internal const string ReadSql =
        $"""
        select {Columns}
        from crawl_logs
        where session_id = @session_id
          and (timestamp, id) > (@after_time, @after_id)
          and (timestamp, id) < (@before_time, @before_id)
          and (@levels is null or level = any (@levels::log_level_enum[]))
          and (@event_types is null or event_type = any (@event_types::event_type_enum[]))
        order by session_id, timestamp, id
        limit @limit
        """;

    private readonly NpgsqlDataSource reads = readDataSource ?? dataSource;
    private readonly Appender appender = new(
        dataSource ?? throw new ArgumentNullException(nameof(dataSource)), retry ?? new RetryOptions(), new Telemetry(dataSource, Table), logger.Guarded());

    /// <summary>Appends a line.</summary>
    /// <returns>Its id.</returns>
    /// <exception cref="RowNotFoundException">There is no such session. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether it is stored; not in a caller's transaction.</exception>
    /// <exception cref="NpgsqlException">It could not be stored.</exception>
    public async Task<long> AppendAsync(
        Guid sessionId, NewCrawlLog line, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(line);
        return (await appender.AppendAsync([(sessionId, line)], transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Appends lines to one session's log, all or none. When there are none, nothing is done, and the session is not looked for.</summary>
    /// <returns>The ids, in the order of the lines; they rise.</returns>
    /// <exception cref="RowNotFoundException">There is no such session. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether they are stored; not in a caller's transaction.</exception>
    /// <exception cref="NpgsqlException">They could not be stored.</exception>
    public Task<IReadOnlyList<long>> AppendAsync(
        Guid sessionId, IEnumerable<NewCrawlLog> lines, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(lines);
        return AppendAsync(new Appender<NewCrawlLog>.OfOneParent(sessionId, [.. lines]), transaction, cancellationToken);
    }

    /// <summary>Appends lines to one or several sessions' logs, all or none.</summary>
    /// <returns>The ids, in the order of the lines; they rise.</returns>
    /// <exception cref="RowNotFoundException">One or more of the sessions do not exist. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether they are stored; not in a caller's transaction.</exception>
    /// <exception cref="NpgsqlException">They could not be stored.</exception>
    public Task<IReadOnlyList<long>> AppendAsync(
        IReadOnlyList<(Guid SessionId, NewCrawlLog Line)> lines, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(lines);
        return appender.AppendAsync(lines, transaction, cancellationToken);
    }

    /// <summary>Gets a line; null when the session's log has none of that id.</summary>
    /// <remarks>In no transaction it is read where it was written, and never from the data source for reads: it settles an <see
    /// cref="AppendOutcomeUnknownException"/>, and a standby that lags would not have the line yet.</remarks>
    /// <param name="sessionId">The session that it belongs to.</param>
    /// <param name="id">The line.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public async Task<CrawlLog?> GetAsync(Guid sessionId, long id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "session_id", NpgsqlDbType.Uuid, sessionId }, { "row_id", NpgsqlDbType.Bigint, id } };
        return (await dataSource.ReadListAsync(Command(GetSql, parameters, transaction, cancellationToken), Read).ConfigureAwait(false)).SingleOrDefault();
    }

    /// <summary>Reads a session's log, a page at a time.</summary>
    /// <param name="sessionId">The session; one that does not exist has no lines.</param>
    /// <param name="filter">Which lines; all when null. Give the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most lines on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The page before's <see cref="Page{T}.NextCursor"/>; null for the first page. A page starts after a line: however many have one
    /// timestamp, none appears twice or is passed over.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned, or the page size is out of range.</exception>
    public async Task<Page<CrawlLog>> ListAsync(
        Guid sessionId,
        CrawlLogFilter? filter = null,
        int pageSize = 1_000,
        string? cursor = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        PageBuilder.RequireSize(pageSize, MaxPageSize);
        var after = cursor is null ? (KeysetCursor<long>?)null : KeysetCursor<long>.Decode(cursor, CursorKind.Logs, sessionId);
        var parameters = ToParameters(sessionId, filter, after, pageSize + 1);
        var rows = await reads.ReadListAsync(Command(ReadSql, parameters, transaction, cancellationToken), Read).ConfigureAwait(false);
        return PageBuilder.Build(rows, pageSize, last => new KeysetCursor<long>(last.Timestamp, last.Id).Encode(CursorKind.Logs, sessionId));
    }

    /// <summary>Streams a session's log, each line as it arrives.</summary>
    /// <remarks>One query, with one snapshot, on one connection that is held while the enumeration goes on; memory is that of a row. A consumer that is slow
    /// or waits for others reads pages with <see cref="ListAsync"/> instead. Leaving early cancels the query on the server and does not read the rest. In a
    /// transaction nothing else can be done on its connection until the enumeration ends, and leaving early reads the rest, since a query that is cancelled
    /// would abort it.</remarks>
    /// <param name="sessionId">The session; one that does not exist has no lines.</param>
    /// <param name="filter">Which lines; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    public IAsyncEnumerable<CrawlLog> StreamAsync(
        Guid sessionId, CrawlLogFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.StreamAsync<CrawlLog>(ReadSql, () => ToParameters(sessionId, filter, null, null), () => Read, transaction, cancellationToken);

    private static CrawlLog Read(DbDataReader row) => new()
    {
        Id = row.GetInt64(0),
        SessionId = row.GetGuid(1),
        Level = row.GetLabel<CrawlLogLevel>(2),
        EventType = row.GetLabel<CrawlLogEventType>(3),
        Message = row.GetString(4),
        Details = row.GetJsonb(5),
        Timestamp = row.GetInstant(6),
    };

    private static Parameters ToParameters(Guid sessionId, CrawlLogFilter? filter, KeysetCursor<long>? cursor, int? limit)
    {
        filter ??= CrawlLogFilter.All;
        if (filter.TimestampFrom is { } start && (cursor is null || cursor.Value.Time < start))
        {
            cursor = new KeysetCursor<long>(start, long.MinValue);
        }

        return new Parameters
        {
            { "session_id", NpgsqlDbType.Uuid, sessionId },
            { "after_time", NpgsqlDbType.TimestampTz, cursor?.Time ?? DateTimeOffset.MinValue },
            { "after_id", NpgsqlDbType.Bigint, cursor?.Id ?? long.MinValue },
            { "before_time", NpgsqlDbType.TimestampTz, filter.TimestampBefore ?? DateTimeOffset.MaxValue },
            { "before_id", NpgsqlDbType.Bigint, filter.TimestampBefore is null ? long.MaxValue : long.MinValue },
            { "levels", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Levels.ToLabels() },
            { "event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.EventTypes.ToLabels() },
            { "limit", NpgsqlDbType.Bigint, limit },
        };
    }

    private sealed class Appender(NpgsqlDataSource dataSource, RetryOptions retry, Telemetry telemetry, ILogger logger)
        : Appender<NewCrawlLog>(dataSource, new SettledTransaction(dataSource, retry.Limit, TimeSql, telemetry, logger), telemetry)
    {
        protected override string InsertSql => CrawlLogRepository.InsertSql;

        protected override string ReserveSql => CrawlLogRepository.ReserveSql;

        protected override string CopySql => CrawlLogRepository.CopySql;

        protected override string UnknownParentsSql => AuditPageRepository.UnknownSessionsSql;

        protected override string ParentTable => AuditSessionRepository.Table;

        protected override string RowsName => "lines";

        // A UTF-16 unit has at most three bytes in UTF-8.
        public override int BytesOf(NewCrawlLog row) => row.Details.Utf8.Length + (3 * row.Message.Length);

        protected override DateTime? TimeOf(NewCrawlLog row) => row.Timestamp?.UtcDateTime;

        protected override void AddColumns(Parameters parameters, IReadOnlyList<(Guid ParentId, NewCrawlLog Row)> rows)
        {
            parameters.Add("levels", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(item => item.Row.Level).ToLabels());
            parameters.Add("event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(item => item.Row.EventType).ToLabels());
            parameters.Add("messages", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(item => item.Row.Message).ToArray());
            parameters.Add("details", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(item => item.Row.Details.Utf8).ToArray());
            parameters.Add("timestamps", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(item => item.Row.Timestamp).ToArray());
        }

        protected override async Task WriteAsync(NpgsqlBinaryImporter importer, NewCrawlLog row)
        {
            await importer.WriteAsync(row.Level.ToLabel(), NpgsqlDbType.Text, CancellationToken.None).ConfigureAwait(false);
            await importer.WriteAsync(row.EventType.ToLabel(), NpgsqlDbType.Text, CancellationToken.None).ConfigureAwait(false);
            await importer.WriteAsync(row.Message, NpgsqlDbType.Text, CancellationToken.None).ConfigureAwait(false);
            await importer.WriteAsync(row.Details.Utf8, NpgsqlDbType.Jsonb, CancellationToken.None).ConfigureAwait(false);
        }
    }
}

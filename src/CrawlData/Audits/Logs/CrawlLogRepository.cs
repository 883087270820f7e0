using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Audits.CrawlLogStatements;

namespace CrawlData.Audits;

/// <summary>The table <c>crawl_logs</c>: each session's log. Instances are thread-safe.</summary>
/// <remarks>
/// <para><b>Order.</b> A log is read in the order of its timestamps, and callers may set those. While a session runs, a line that is committed late may lie
/// before the cursor. To get every line, read again after the session has ended.</para>
/// <para><b>Transactions.</b> Methods that write take the caller's transaction. Without one, each call is a transaction of its own. Appends do not wait for
/// each other.</para>
/// <para><b>Errors.</b> Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <example>
/// <code>
/// await logs.AppendAsync(session.Id, new NewCrawlLog { EventType = CrawlLogEventType.Navigation, Message = $"opening {session.Url}" });
/// await foreach (var line in logs.StreamAsync(session.Id))
/// {
///     Console.WriteLine($"{line.Timestamp:u} {line.Message}");
/// }
/// </code>
/// </example>
public sealed partial class CrawlLogRepository
{
    /// <summary>The largest page: 10,000 lines.</summary>
    public const int MaxPageSize = 10_000;

    private readonly NpgsqlDataSource dataSource;
    private readonly NpgsqlDataSource reads;
    private readonly BulkAppender<NewCrawlLog> appender;
    private readonly CrawlLogFollower follower;
    private readonly Telemetry telemetry;
    private readonly ILogger log;

    /// <summary>Makes a repository.</summary>
    /// <param name="dataSource">The application's data source. The application disposes it.</param>
    /// <param name="readDataSource">Serves <see cref="ListAsync"/> and <see cref="StreamAsync"/> outside a transaction, for example from a hot standby, which
    /// lags behind. Appends and <see cref="GetAsync"/> never use it. Null for <paramref name="dataSource"/>.</param>
    /// <param name="retry">How long appends are retried, and a lost COMMIT is verified; the defaults when null.</param>
    /// <param name="logger">Logs retries and verified commits; may be null.</param>
    /// <param name="timeProvider">Measures pauses and limits; <see cref="TimeProvider.System"/> when null.</param>
    public CrawlLogRepository(
        NpgsqlDataSource dataSource,
        NpgsqlDataSource? readDataSource = null,
        RetryOptions? retry = null,
        ILogger<CrawlLogRepository>? logger = null,
        TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        this.dataSource = dataSource;
        reads = readDataSource ?? dataSource;
        telemetry = new Telemetry(dataSource, Instance.Table);
        log = logger.Guarded();
        var time = timeProvider ?? TimeProvider.System;
        var policy = new RetryPolicy(dataSource, (retry ?? new RetryOptions()).Limit, time, telemetry, log);
        appender = new BulkAppender<NewCrawlLog>(dataSource, Instance, policy, telemetry, log);
        follower = new CrawlLogFollower(dataSource, policy, time, telemetry, log);
    }

    /// <summary>Appends a line.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="line">The line.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The line's id.</returns>
    /// <exception cref="RowNotFoundException">There is no such session. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The line could not be stored.</exception>
    public async Task<long> AppendAsync(
        Guid sessionId, NewCrawlLog line, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(line);
        return (await appender.AppendAsync(new RowBatch<NewCrawlLog>(sessionId, [line]), transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Appends lines to one session's log: all or none. Without lines it does nothing, and does not look for the session.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="lines">The lines.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The ids, in the order of the lines. They rise.</returns>
    /// <exception cref="RowNotFoundException">There is no such session. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the lines is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The lines could not be stored.</exception>
    public Task<IReadOnlyList<long>> AppendAsync(
        Guid sessionId, IEnumerable<NewCrawlLog> lines, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(lines);
        return appender.AppendAsync(new RowBatch<NewCrawlLog>(sessionId, [.. lines.NamingIndex("lines")]), transaction, cancellationToken);
    }

    /// <summary>Appends lines to one or several sessions' logs: all or none.</summary>
    /// <param name="lines">The lines, each with its session.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The ids, in the order of the lines. They rise.</returns>
    /// <exception cref="RowNotFoundException">One or more of the sessions do not exist. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the lines is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The lines could not be stored.</exception>
    public Task<IReadOnlyList<long>> AppendAsync(
        IReadOnlyList<(Guid SessionId, NewCrawlLog Line)> lines, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(lines);
        return appender.AppendAsync(new RowBatch<NewCrawlLog>(lines), transaction, cancellationToken);
    }

    /// <summary>Appends a stream of lines to one session's log: all or none, however long it is. It holds at most 4 MiB of the stream in memory.</summary>
    /// <remarks>
    /// <para>It holds one connection and a lock from the first lines to the end of the stream. Only a deletion of the session waits for that lock.</para>
    /// <para>In the caller's transaction it sets a savepoint. After an error of the source, a cancellation, or a refused line, the transaction is as it was
    /// before the call, and still usable.</para>
    /// <para>A lost COMMIT is verified as for any append. Nothing is retried, because a stream can be read only once. A transient error is thrown as
    /// <see cref="NpgsqlException"/>, and nothing is stored.</para>
    /// </remarks>
    /// <param name="sessionId">The session.</param>
    /// <param name="lines">The lines.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The number of lines. For an empty stream it is 0, and the session is not looked for.</returns>
    /// <exception cref="RowNotFoundException">There is no such session. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the lines is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The lines could not be stored.</exception>
    public Task<long> AppendStreamAsync(
        Guid sessionId, IAsyncEnumerable<NewCrawlLog> lines, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(lines);
        return appender.AppendStreamAsync(sessionId, lines, null, transaction, cancellationToken);
    }

    /// <summary>Gets a line.</summary>
    /// <remarks>Outside a transaction it reads from the primary. So it shows the outcome of an append after an <see cref="AppendOutcomeUnknownException"/>. A
    /// standby that lags behind might not have the line yet.</remarks>
    /// <param name="sessionId">The line's session.</param>
    /// <param name="id">The line.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The line; null when the session's log has no line with that id.</returns>
    /// <exception cref="UnreadableRowException">This version, or .NET, cannot hold a value of the row.</exception>
    public Task<CrawlLog?> GetAsync(Guid sessionId, long id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "session_id", NpgsqlDbType.Uuid, sessionId }, { "row_id", NpgsqlDbType.Bigint, id } };
        return dataSource.QuerySingleOrDefaultAsync(GetSql, parameters, Map, transaction, cancellationToken);
    }

    /// <summary>Lists the lines of a session's log in the order of timestamps and ids, a page at a time.</summary>
    /// <param name="sessionId">The session. An unknown session has no lines.</param>
    /// <param name="filter">Which lines; all when null. Pass the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most lines on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The last page's <see cref="Page{T}.NextCursor"/>; null for the first page. No line is listed twice or left out, however many have
    /// one timestamp.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="ArgumentOutOfRangeException">The page size is out of range.</exception>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned for this session.</exception>
    public Task<Page<CrawlLog>> ListAsync(
        Guid sessionId,
        CrawlLogFilter? filter = null,
        int pageSize = 1_000,
        string? cursor = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(pageSize, 1, MaxPageSize);
        var after = cursor is null ? (KeysetCursor<long>?)null : KeysetCursor<long>.Decode(cursor, CursorKind.Logs, sessionId);
        return reads.QueryPageAsync(
            ReadSql,
            ToReadParameters(sessionId, filter, after),
            pageSize,
            Map,
            row => new KeysetCursor<long>(row.GetInstant(6), row.GetInt64(0)),
            Bytes,
            last => last.Encode(CursorKind.Logs, sessionId),
            PassedOver(),
            transaction,
            cancellationToken);
    }

    /// <summary>Streams the lines of a session's log in the order of timestamps and ids, each line as it arrives.</summary>
    /// <remarks>It is one query with one snapshot, on one connection that is held during the enumeration. It holds one row in memory. For a slow consumer, read
    /// pages with <see cref="ListAsync"/> instead. Leaving early cancels the query on the server, and does not read the rest. In a transaction, the connection
    /// is busy until the enumeration ends, and leaving early reads the rest, because a cancelled query would abort the transaction.</remarks>
    /// <param name="sessionId">The session. An unknown session has no lines.</param>
    /// <param name="filter">Which lines; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    public IAsyncEnumerable<CrawlLog> StreamAsync(
        Guid sessionId, CrawlLogFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.StreamAsync<CrawlLog>(ReadSql, () => ToStreamParameters(sessionId, filter), () => Map, PassedOver, transaction, cancellationToken);

    /// <summary>Follows a session's log until the session has ended: first the lines that are stored, and then each line as it is stored.</summary>
    /// <remarks>
    /// <para>Lines come in the order of their ids, each once. <see cref="ListAsync"/> has them in the order of their timestamps. Appends to a log do not wait
    /// for each other, so a line with a lower id may be committed later. So a line comes once all transactions that appended to any log before it have ended,
    /// or once the session has ended. The lines that the transaction of the session's end stored come before the end. Lines that are stored later do not.</para>
    /// <para>It reads on the primary, with a connection for each read only. Errors that are transient are retried as appends are. After a failover it goes on
    /// with the lines that the new primary has.</para>
    /// </remarks>
    /// <param name="sessionId">The session. The enumeration goes on while it waits in the queue.</param>
    /// <param name="filter">Which lines; all when null.</param>
    /// <param name="afterId">Only lines after this id, such as the last that was read before; all when null.</param>
    /// <param name="pollInterval">The longest pause between two reads while no line arrives: 1 ms to 1 hour. The first pause is 1 ms, and each is twice the last.
    /// The default is 250 ms.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The interval is out of range.</exception>
    /// <exception cref="RowNotFoundException">There is no such session, or it was deleted.</exception>
    /// <exception cref="InvalidOperationException">The sequence of ids was set back: new lines get ids that followers have passed. Or the server is a
    /// standby.</exception>
    public IAsyncEnumerable<CrawlLog> FollowAsync(
        Guid sessionId,
        CrawlLogFilter? filter = null,
        long? afterId = null,
        TimeSpan? pollInterval = null,
        CancellationToken cancellationToken = default)
    {
        var interval = ArgumentRange.Require(
            pollInterval ?? TimeSpan.FromMilliseconds(250), TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), nameof(pollInterval));
        return follower.FollowAsync(sessionId, filter ?? CrawlLogFilter.All, afterId ?? 0, interval, cancellationToken);
    }

    private PassedOverRows PassedOver() => new(telemetry, log);
}

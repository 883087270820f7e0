using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Crawls.CrawlEventStatements;
using BeforeCommit = System.Func<Npgsql.NpgsqlConnection, Npgsql.NpgsqlTransaction, CrawlData.Storage.AppendedRows, System.Threading.Tasks.Task>;

namespace CrawlData.Crawls;

/// <summary>The table <c>crawl_events</c>: each crawl's stream of events. Instances are thread-safe.</summary>
/// <remarks>
/// <para><b>Order.</b> Within a crawl, ids rise in the order of commits. A reader that asks for the events after the last id it saw misses none. It relies on
/// the run's row lock (<c>for no key update</c>). Each append takes the lock before it draws an id, and holds it until the commit. The guarantee covers all
/// appends through this class, in any number of processes. A plain INSERT takes no such lock, and breaks the order. Appends to one crawl wait for each other.
/// Appends to different crawls do not.</para>
/// <para><b>Status.</b> Events are appended whatever the status of their run. With a claim of <see cref="CrawlRunQueue"/> they are appended only while the
/// claim is not lost.</para>
/// <para><b>Transactions.</b> Methods that write take the caller's transaction. The transaction then holds the run's lock until it ends. Without one, each
/// call is a transaction of its own. A transaction that appends to several crawls should always take them in the same order, or two such transactions may
/// deadlock. An error of the server, or a cancellation, aborts the caller's transaction. The methods named <c>AppendStreamAsync</c> use a savepoint instead.
/// At REPEATABLE READ or above, a run that was created after the snapshot does not exist.</para>
/// <para><b>Errors.</b> Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <example>
/// <code>
/// var events = new CrawlEventRepository(dataSource);
/// await events.AppendAsync(run.Id, new NewCrawlEvent { EventType = "page.opened", Payload = Jsonb.From(new { url }) });
/// await foreach (var crawlEvent in events.StreamAsync(run.Id))
/// {
///     Console.WriteLine($"{crawlEvent.Id} {crawlEvent.EventType}");
/// }
/// </code>
/// </example>
public sealed partial class CrawlEventRepository
{
    /// <summary>The largest page: 10,000 events.</summary>
    public const int MaxPageSize = 10_000;

    private readonly NpgsqlDataSource dataSource;
    private readonly NpgsqlDataSource reads;
    private readonly RetryPolicy retries;
    private readonly ILogger logger;
    private readonly BulkAppender<NewCrawlEvent> appender;
    private readonly CrawlEventFollower follower;
    private readonly CrawlEventNotifier? notifier;

    /// <summary>Makes a repository.</summary>
    /// <param name="dataSource">The application's data source. The application disposes it.</param>
    /// <param name="readDataSource">Serves <see cref="ListAsync"/>, <see cref="StreamAsync"/>, <see cref="GetLastAsync"/> and the counts outside a transaction,
    /// for example from a hot standby, which lags behind. Appends, followers, <see cref="ListAllAsync"/> and <see cref="GetAsync"/> never use it. Null for
    /// <paramref name="dataSource"/>.</param>
    /// <param name="retry">How long appends and followers' reads are retried, and a lost COMMIT is verified; the defaults when null.</param>
    /// <param name="notify">Whether appends notify followers that listen. A notification is sent after the commit, in the background, and at most every
    /// 7 ms. After an append in the caller's transaction, the caller calls <see cref="Notify"/>.</param>
    /// <param name="logger">Logs retries and verified commits; may be null.</param>
    /// <param name="timeProvider">Measures pauses and limits; <see cref="TimeProvider.System"/> when null.</param>
    public CrawlEventRepository(
        NpgsqlDataSource dataSource,
        NpgsqlDataSource? readDataSource = null,
        RetryOptions? retry = null,
        bool notify = false,
        ILogger<CrawlEventRepository>? logger = null,
        TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        this.dataSource = dataSource;
        reads = readDataSource ?? dataSource;
        var time = timeProvider ?? TimeProvider.System;
        this.logger = logger.Guarded();
        Telemetry = new Telemetry(dataSource, EventsTable);
        RetryLimit = (retry ?? new RetryOptions()).Limit;
        retries = new RetryPolicy(dataSource, new RetryLimits(RetryLimit), time, Telemetry, this.logger);
        follower = new CrawlEventFollower(dataSource, retries, time, Telemetry, this.logger);
        notifier = notify ? new CrawlEventNotifier(dataSource, time, this.logger) : null;
        appender = MakeAppender(retries);
    }

    /// <summary>Copies a repository. The copy appends with other limits of retries.</summary>
    internal CrawlEventRepository(CrawlEventRepository other, RetryLimits limits)
    {
        (dataSource, reads, logger, follower, notifier) = (other.dataSource, other.reads, other.logger, other.follower, other.notifier);
        (Telemetry, RetryLimit) = (other.Telemetry, limits.Total);
        retries = other.retries.With(limits);
        appender = MakeAppender(retries);
    }

    internal Telemetry Telemetry { get; }

    internal RetryPolicy Retries => retries;

    /// <summary>How long an append is retried.</summary>
    internal TimeSpan RetryLimit { get; }

    /// <summary>Appends the events of the crawls that exist and that no other transaction has locked.</summary>
    internal Task<PartialAppend> AppendAvailableAsync(RowBatch<NewCrawlEvent> events, BeforeCommit? beforeCommit) =>
        appender.AppendAvailableAsync(events, beforeCommit, CancellationToken.None);

    /// <summary>Appends events in a transaction of its own, and runs a callback before each COMMIT.</summary>
    internal Task<IReadOnlyList<long>> AppendAsync(
        RowBatch<NewCrawlEvent> events, BeforeCommit? beforeCommit, CancellationToken cancellationToken) =>
        appender.AppendAsync(events, null, beforeCommit, cancellationToken);

    /// <summary>Verifies an append of an earlier process.</summary>
    internal Task<CommitOutcome> VerifyAsync(AppendedRows appended, long cluster) => appender.VerifyAsync(appended, cluster);

    /// <summary>Appends one event.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The event's id.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The event could not be stored.</exception>
    public Task<long> AppendAsync(
        Guid crawlId, NewCrawlEvent crawlEvent, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(crawlEvent);
        return appender.AppendAsync(crawlId, crawlEvent, transaction, cancellationToken);
    }

    /// <summary>Appends events to one crawl: all or none. Without events it does nothing, and does not look for the crawl.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="events">The events.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The ids, in the order of the events. They rise.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the events is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The events could not be stored.</exception>
    /// <example>
    /// <code>
    /// var ids = await events.AppendAsync(run.Id, [opened, clicked, closed]);
    /// </code>
    /// </example>
    public Task<IReadOnlyList<long>> AppendAsync(
        Guid crawlId, IEnumerable<NewCrawlEvent> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        return appender.AppendAsync(new RowBatch<NewCrawlEvent>(crawlId, [.. events.NamingIndex("events")]), transaction, cancellationToken);
    }

    /// <summary>Appends events to one or several crawls: all or none. Such calls never deadlock with each other, because each first takes the locks of its
    /// runs, in one order.</summary>
    /// <param name="events">The events, each with its crawl.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The ids, in the order of the events. They rise.</returns>
    /// <exception cref="RowNotFoundException">One or more of the crawls do not exist. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the events is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The events could not be stored.</exception>
    public Task<IReadOnlyList<long>> AppendAsync(
        IReadOnlyList<(Guid CrawlId, NewCrawlEvent Event)> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        return appender.AppendAsync(new RowBatch<NewCrawlEvent>(events), transaction, cancellationToken);
    }

    /// <summary>Appends a stream of events to one crawl: all or none, however long it is. It holds at most 4 MiB of the stream in memory.</summary>
    /// <remarks>
    /// <para>It holds the run's lock and one connection from the first events to the end of the stream, and other writers of this crawl wait. Use it for a
    /// source that does not wait itself, such as a file.</para>
    /// <para>In the caller's transaction it sets a savepoint. After an error of the source, a cancellation, or a refused event, the transaction is as it was
    /// before the call, and still usable.</para>
    /// <para>A lost COMMIT is verified as for any append. Nothing is retried, because a stream can be read only once. A transient error is thrown as
    /// <see cref="NpgsqlException"/>, and nothing is stored.</para>
    /// </remarks>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="events">The events.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The number of events. For an empty stream it is 0, and the crawl is not looked for.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the events is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The events could not be stored.</exception>
    public Task<long> AppendStreamAsync(
        Guid crawlId, IAsyncEnumerable<NewCrawlEvent> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        return appender.AppendStreamAsync(crawlId, events, null, transaction, cancellationToken);
    }

    /// <summary>Appends one event of a claimed run.</summary>
    /// <remarks>
    /// <para>It is refused when the claim is lost: the run was released, was claimed again, or is no longer RUNNING. So a worker that was taken for dead cannot
    /// write into a run that has ended, or that another worker has. It relies on the run's row lock, under which the claim's row is read. A change of the
    /// claim waits for the append's commit, or the append for that of the change.</para>
    /// <para>In the caller's transaction, a heartbeat of the claim is passed over until that transaction ends.</para>
    /// </remarks>
    /// <param name="claim">The claim.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The event's id.</returns>
    /// <exception cref="ClaimLostException">The claim is lost. Nothing is stored.</exception>
    /// <exception cref="RowNotFoundException">The run was deleted. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The event could not be stored.</exception>
    public async Task<long> AppendAsync(
        CrawlRunClaim claim, NewCrawlEvent crawlEvent, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(claim);
        ArgumentNullException.ThrowIfNull(crawlEvent);
        return (await appender.AppendAsync(ToBatch(claim, [crawlEvent]), transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Appends events of a claimed run: all or none. Without events it does nothing, and does not look for the claim.</summary>
    /// <inheritdoc cref="AppendAsync(CrawlRunClaim, NewCrawlEvent, NpgsqlTransaction?, CancellationToken)" path="/remarks"/>
    /// <param name="claim">The claim.</param>
    /// <param name="events">The events.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The ids, in the order of the events. They rise.</returns>
    /// <exception cref="ClaimLostException">The claim is lost. Nothing is stored.</exception>
    /// <exception cref="RowNotFoundException">The run was deleted. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the events is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The events could not be stored.</exception>
    public Task<IReadOnlyList<long>> AppendAsync(
        CrawlRunClaim claim, IEnumerable<NewCrawlEvent> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(claim);
        ArgumentNullException.ThrowIfNull(events);
        return appender.AppendAsync(ToBatch(claim, [.. events.NamingIndex("events")]), transaction, cancellationToken);
    }

    /// <summary>Appends events of one or several claimed runs: all or none. Such calls never deadlock with each other, because each first takes the locks of
    /// its runs, in one order.</summary>
    /// <inheritdoc cref="AppendAsync(CrawlRunClaim, NewCrawlEvent, NpgsqlTransaction?, CancellationToken)" path="/remarks"/>
    /// <param name="events">The events, each with its claim.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The ids, in the order of the events. They rise.</returns>
    /// <exception cref="ClaimLostException">A claim is lost. Nothing is stored. Its <see cref="ClaimLostException.Index"/> is the position of the first event
    /// that has the claim.</exception>
    /// <exception cref="RowNotFoundException">One or more of the runs were deleted. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the claims or events is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The events could not be stored.</exception>
    public Task<IReadOnlyList<long>> AppendAsync(
        IReadOnlyList<(CrawlRunClaim Claim, NewCrawlEvent Event)> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        CrawlRunClaim[] claims =
            [.. events.Select((one, index) => one.Claim ?? throw new InvalidValueException("events", $"has a null claim at index {index}"))];
        var batch = new RowBatch<NewCrawlEvent>(
            [.. claims.Zip(events, (claim, one) => (claim.Run.Id, one.Event))], [.. claims.Select(claim => (RowClaim?)claim.ToRowClaim())]);
        return appender.AppendAsync(batch, transaction, cancellationToken);
    }

    /// <summary>Appends a stream of events of a claimed run: all or none, however long it is. It holds at most 4 MiB of the stream in memory.</summary>
    /// <inheritdoc cref="AppendStreamAsync(Guid, IAsyncEnumerable{NewCrawlEvent}, NpgsqlTransaction?, CancellationToken)" path="/remarks"/>
    /// <param name="claim">The claim.</param>
    /// <param name="events">The events.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The number of events. For an empty stream it is 0, and the claim is not looked for.</returns>
    /// <exception cref="ClaimLostException">The claim is lost. Nothing is stored.</exception>
    /// <exception cref="RowNotFoundException">The run was deleted. Nothing is stored.</exception>
    /// <exception cref="InvalidValueException">One of the events is null. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified. Not thrown in the caller's
    /// transaction.</exception>
    /// <exception cref="NpgsqlException">The events could not be stored.</exception>
    public Task<long> AppendStreamAsync(
        CrawlRunClaim claim, IAsyncEnumerable<NewCrawlEvent> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(claim);
        ArgumentNullException.ThrowIfNull(events);
        return appender.AppendStreamAsync(claim.Run.Id, events, claim.ToRowClaim(), transaction, cancellationToken);
    }

    /// <summary>Notifies the followers of a crawl that listen. Appends do so by themselves; call it after you committed a transaction of your own. It returns
    /// at once. A repository made without <c>notify</c> does nothing.</summary>
    /// <param name="crawlId">The crawl.</param>
    public void Notify(Guid crawlId) => notifier?.Notify([crawlId]);

    /// <summary>Follows a crawl: yields its events after a cursor, in order, each once, and then new events as they are committed. It ends when the run is
    /// COMPLETED, FAILED or CANCELLED and its events were yielded.</summary>
    /// <remarks>
    /// <para>It reads by the last id that it yielded. It resumes from there after a lost connection or a restart of the server. The application can resume
    /// in another process, with the last id that it handled.</para>
    /// <para>It misses no event. It relies on the <b>Order</b> of this class. It also relies on the server's <c>synchronous_commit</c> not being off: otherwise
    /// a crash may undo events that were yielded. An event that is committed after the run ended is yielded only when the last read finds it.</para>
    /// <para>No connection and no transaction is held while the application handles an event, or while it waits. A read that fails with a transient error is
    /// retried for <see cref="RetryOptions.Limit"/>. Then the error is thrown.</para>
    /// <para>Followers of one repository that have caught up share their statements, and those at one position share the events that are read. So use one
    /// repository for all. A slow follower holds up no other.</para>
    /// </remarks>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="afterId">Only events after this id; null for all.</param>
    /// <param name="options">How to wait; the defaults when null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="RowNotFoundException">There is no such crawl, or it was deleted meanwhile.</exception>
    /// <exception cref="InvalidOperationException"><see cref="CrawlEventFollowOptions.Listen"/> is set, and the data source multiplexes. Or the sequence of ids
    /// is behind the newest id; every 32nd read checks that.</exception>
    /// <example>
    /// <code>
    /// await foreach (var crawlEvent in events.FollowAsync(crawlId, afterId: lastHandledId))
    /// {
    ///     await HandleAsync(crawlEvent);
    ///     lastHandledId = crawlEvent.Id;
    /// }
    /// </code>
    /// </example>
    public IAsyncEnumerable<CrawlEvent> FollowAsync(
        Guid crawlId, long? afterId = null, CrawlEventFollowOptions? options = null, CancellationToken cancellationToken = default) =>
        follower.FollowAsync(crawlId, afterId, options ?? CrawlEventFollowOptions.Default, cancellationToken);

    /// <summary>Follows a crawl in batches: as <see cref="FollowAsync"/>, with all events that a read finds at once. So a reader that forwards them, such as to
    /// a browser, writes once for many.</summary>
    /// <inheritdoc cref="FollowAsync" path="/remarks"/>
    /// <inheritdoc cref="FollowAsync" path="/param"/>
    /// <inheritdoc cref="FollowAsync" path="/exception"/>
    /// <returns>The batches, in the order of the events. Each has 1 to <see cref="CrawlEventFollowOptions.PageSize"/> events. The last event's id is the one to
    /// resume from.</returns>
    public IAsyncEnumerable<IReadOnlyList<CrawlEvent>> FollowBatchesAsync(
        Guid crawlId, long? afterId = null, CrawlEventFollowOptions? options = null, CancellationToken cancellationToken = default) =>
        follower.FollowBatchesAsync(crawlId, afterId, options ?? CrawlEventFollowOptions.Default, cancellationToken);

    /// <summary>Follows all crawls, in batches: as <see cref="ListAllAsync"/>, and then new events as they are committed. It ends only when it is
    /// cancelled.</summary>
    /// <inheritdoc cref="ListAllAsync" path="/remarks"/>
    /// <param name="cursor">The <see cref="CrawlEventBatch.Cursor"/> of the last batch that was handled; null for all events.</param>
    /// <param name="options">How to wait, and the most events of a batch; the defaults when null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <returns>The batches. Each has at least one event.</returns>
    /// <exception cref="InvalidValueException">The cursor is not a batch's, or it is greater than all ids. Then it belongs to another database, or to a server
    /// that was lost.</exception>
    /// <exception cref="InvalidOperationException">The server was a standby for <see cref="RetryOptions.Limit"/>. Or the sequence of ids is behind the newest
    /// id. Or the data source multiplexes, and <see cref="CrawlEventFollowOptions.Listen"/> is set.</exception>
    public IAsyncEnumerable<CrawlEventBatch> FollowAllAsync(
        string? cursor = null, CrawlEventFollowOptions? options = null, CancellationToken cancellationToken = default) =>
        follower.FollowAllAsync(cursor, options ?? CrawlEventFollowOptions.Default, cancellationToken);

    /// <summary>Lists events of all crawls in the order of their ids, up to the high-water mark. At or below that id, no further event can appear. Pass the
    /// batch's cursor to read the next batch. No event is missed.</summary>
    /// <remarks>
    /// <para>It relies on the table's lock: each transaction takes it before it draws an event's id, and holds it to its end. The call reads the newest id, and
    /// then the transactions that hold the lock (<c>pg_locks</c>). When these have ended, each id up to the newest is visible, or never will be. This covers
    /// plain INSERTs too. It does not cover ids that were drawn from the sequence beforehand, a sequence that caches, or a <c>synchronous_commit</c> that is
    /// off.</para>
    /// <para>An open transaction that appended, or that deleted events or a run, holds back all later events until it ends. A reader that starts meanwhile
    /// also waits for the events before it. Keep such transactions short, and import during calm hours. Other transactions hold nothing back.</para>
    /// <para>A read looks at the end of the primary key. When there are new events, it also looks at the server's locks. No connection is held while it waits.
    /// A standby counts as a transient error, because an address may lead to one for a while after a failover. Each read is one statement, and checks that the
    /// server which answers it knows all events up to the mark.</para>
    /// <para>A sequence that was set back below the newest id is refused. New events would get ids that readers have passed.</para>
    /// </remarks>
    /// <param name="cursor">The <see cref="CrawlEventBatch.Cursor"/> of the last batch that was handled; null for all events.</param>
    /// <param name="limit">The most events, 1 or more. The batch also ends once it holds 16 MiB of payloads.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The events. The batch is empty when no event is after the cursor, or when later events are held back for more than a second.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    /// <exception cref="InvalidValueException">The cursor is not a batch's, or it is greater than all ids. Then it belongs to another database, or to a server
    /// that was lost.</exception>
    /// <exception cref="InvalidOperationException">The server was a standby for <see cref="RetryOptions.Limit"/>. Or the sequence of ids is behind the newest
    /// id.</exception>
    public async Task<CrawlEventBatch> ListAllAsync(string? cursor = null, int limit = 1_000, CancellationToken cancellationToken = default) =>
        await follower.ListAllAsync(cursor, ArgumentRange.RequireAtLeastOne(limit), cancellationToken).ConfigureAwait(false);

    /// <summary>Streams a crawl's events in the order of their ids, each as it arrives.</summary>
    /// <remarks>It is one query with one snapshot, on one connection that is held during the enumeration. It holds one row in memory. For a slow consumer, read
    /// pages with <see cref="ListAsync"/> instead. Leaving early cancels the query on the server, and does not read the rest. In a transaction, the connection
    /// is busy until the enumeration ends, and leaving early reads the rest, because a cancelled query would abort the transaction.</remarks>
    /// <param name="crawlId">The crawl. An unknown crawl has no events.</param>
    /// <param name="filter">Which events; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>. The pool stays healthy.</param>
    public IAsyncEnumerable<CrawlEvent> StreamAsync(
        Guid crawlId, CrawlEventFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.StreamAsync(StreamSql, () => ToFilterParameters(crawlId, filter), Map, PassedOver, transaction, cancellationToken);

    /// <summary>Lists a crawl's events in the order of their ids, a page at a time.</summary>
    /// <param name="crawlId">The crawl. An unknown crawl has no events.</param>
    /// <param name="filter">Which events; all when null. Pass the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most events on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The last page's <see cref="Page{T}.NextCursor"/>; null for the first page. If
    /// <see cref="CrawlEventFilter.AfterId"/> is set too, the greater id applies.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="ArgumentOutOfRangeException">The page size is out of range.</exception>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned for this crawl.</exception>
    public async Task<Page<CrawlEvent>> ListAsync(
        Guid crawlId,
        CrawlEventFilter? filter = null,
        int pageSize = 1_000,
        string? cursor = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(pageSize, 1, MaxPageSize);
        var afterId = cursor is null ? (long?)null : KeysetCursor<long>.Decode(cursor, CursorKind.Events, crawlId).Id;
        return await reads.QueryPageAsync(
            await ChooseAsync(ReadSql, ReadByCrawlSql, transaction, cancellationToken).ConfigureAwait(false),
            ToFilterParameters(crawlId, filter, afterId),
            pageSize,
            Map(),
            row => new KeysetCursor<long>(default, row.GetInt64(0)),
            Bytes,
            last => last.Encode(CursorKind.Events, crawlId),
            PassedOver(),
            transaction,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gets an event.</summary>
    /// <remarks>Outside a transaction it reads from the primary. So it shows the outcome of an append after an <see cref="AppendOutcomeUnknownException"/>. A
    /// standby that lags behind might not have the event yet.</remarks>
    /// <param name="crawlId">The event's crawl.</param>
    /// <param name="id">The event.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The event; null when the crawl has no event with that id.</returns>
    /// <exception cref="UnreadableRowException">This version, or .NET, cannot hold a value of the row.</exception>
    public Task<CrawlEvent?> GetAsync(Guid crawlId, long id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "crawl_id", NpgsqlDbType.Uuid, crawlId }, { "row_id", NpgsqlDbType.Bigint, id } };
        return dataSource.QuerySingleOrDefaultAsync(GetSql, parameters, Map(), transaction, cancellationToken);
    }

    /// <summary>Gets a crawl's last event.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The event; null when the crawl has none.</returns>
    /// <exception cref="UnreadableRowException">This version, or .NET, cannot hold a value of the row.</exception>
    public async Task<CrawlEvent?> GetLastAsync(Guid crawlId, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "crawl_id", NpgsqlDbType.Uuid, crawlId } };
        var sql = await ChooseAsync(LastSql, LastByCrawlSql, transaction, cancellationToken).ConfigureAwait(false);
        return await reads.QuerySingleOrDefaultAsync(sql, parameters, Map(), transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Counts a crawl's events.</summary>
    /// <param name="crawlId">The crawl. An unknown crawl has no events.</param>
    /// <param name="filter">Which events; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public Task<long> CountAsync(
        Guid crawlId, CrawlEventFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.QuerySingleAsync(CountSql, ToFilterParameters(crawlId, filter), row => row.GetInt64(0), transaction, cancellationToken);

    /// <summary>Counts a crawl's events by type.</summary>
    /// <param name="crawlId">The crawl. An unknown crawl has no events.</param>
    /// <param name="filter">Which events; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for each type that occurs.</returns>
    public Task<IReadOnlyDictionary<string, long>> CountByTypeAsync(
        Guid crawlId, CrawlEventFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.CountByTextAsync(CountByTypeSql, ToFilterParameters(crawlId, filter), transaction, cancellationToken);

    private PassedOverRows PassedOver() => new(Telemetry, logger);

    /// <summary>How long an append waits for a locked run that is retried until a limit. It waits until its command times out, and is retried.</summary>
    internal TimeSpan ToLockLimit(TimeSpan limit)
    {
        var seconds = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString).CommandTimeout;
        return seconds == 0 || limit == Timeout.InfiniteTimeSpan ? TimeSpan.MaxValue : TimeSpan.FromSeconds(Math.Max(seconds, limit.TotalSeconds));
    }

    private static RowBatch<NewCrawlEvent> ToBatch(CrawlRunClaim claim, IReadOnlyList<NewCrawlEvent> events) => new(claim.Run.Id, events, claim.ToRowClaim());

    private BulkAppender<NewCrawlEvent> MakeAppender(RetryPolicy policy) =>
        new(dataSource, Instance, policy, Telemetry, logger, notifier is null ? null : notifier.Notify);
}

using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using CrawlData.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData.Crawls;

/// <summary>The table <c>crawl_events</c>: each crawl's stream of events. Safe for use by many tasks at once.</summary>
/// <remarks>
/// <para><b>Order.</b> Within one crawl, ids rise in the order in which events are committed, so a reader that asks for what comes after the last id it saw
/// misses nothing. It rests on the row lock of the run (<c>for no key update</c>), which every append takes before it draws an id and holds to its commit; it
/// holds for all who append through this class, in any number of processes, and not beside plain INSERTs that take no such lock. Writers of one crawl so take
/// turns; writers of different crawls do not.</para>
/// <para>After an error of the server or a cancellation a transaction of the caller's is aborted, as after any; <see cref="AppendStreamAsync"/> saves it. At
/// REPEATABLE READ or above, a run that was created after its snapshot does not exist.</para>
/// <para><b>Status.</b> Events are appended whatever the status of their run: what a crawler has still to say after its end is not lost.</para>
/// <para>Methods that write take the caller's transaction, which then holds the run's lock until it ends; without one each is a transaction of its own.
/// Transactions that append to several crawls in several calls should do so in one order, as with any row locks. Errors of the server and of the connection
/// come as <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
/// <param name="readDataSource">Where what only reads goes when it is in no transaction, to list, stream and count a crawl's events and to get the last: a hot
/// standby, say, which lags behind. What is written, followed, listed of all crawls, or got by its id does not go there. The data source when null.</param>
/// <param name="retry">How long appends, and reads of those who follow, are tried again, and appends settled; the defaults when null.</param>
/// <param name="notify">Whether those who follow and listen are notified of appends, after the commit, in the background, by a statement at most every few
/// milliseconds, however many append. Of an append in a caller's transaction <see cref="Notify"/> tells.</param>
/// <param name="logger">Told of what is tried again, and of what became of it; may be null.</param>
public sealed class CrawlEventRepository(
    NpgsqlDataSource dataSource,
    NpgsqlDataSource? readDataSource = null,
    RetryOptions? retry = null,
    bool notify = false,
    ILogger<CrawlEventRepository>? logger = null)
{
    /// <summary>The most events on a page.</summary>
    public const int MaxPageSize = 10_000;

    internal const string Table = "crawl_events";

    internal const string ParentTable = "crawl_runs";

    internal const string Columns = "id, crawl_id, event_type, payload, created_at";

    // The lock first: the id is drawn for the row that the locking gives. No row means an unknown crawl.
    internal const string InsertOneSql =
        """
        with run as materialized (
            select id from crawl_runs where id = @crawl_id for no key update
        )
        insert into crawl_events (crawl_id, event_type, payload, created_at)
        select id, @event_type, @payload, coalesce(@created_at, now() at time zone 'utc') from run
        returning id, pg_current_xact_id(), now()
        """;

    // All the locks first, in id order, so that calls with several crawls cannot deadlock: the count makes the lock come before the first id is drawn, and
    // keeps everything out when a crawl is unknown. The ids are drawn above the sort, in the order of the events.
    internal const string InsertSql =
        """
        with runs as materialized (
            select id from crawl_runs where id = any (@parent_ids) order by id for no key update
        )
        insert into crawl_events (crawl_id, event_type, payload, created_at)
        select crawl_id, event_type, payload::jsonb, coalesce(created_at, now() at time zone 'utc')
        from unnest(@row_parent_ids, @event_types, @payloads, @created_ats)
            with ordinality as events (crawl_id, event_type, payload, created_at, position)
        where (select count(*) from runs) = cardinality(@parent_ids)
        order by position
        returning id, pg_current_xact_id(), now()
        """;

    // As above: generate_series waits for the count, and nextval for both. The empty insert takes the table's lock before, as the other statements do: who reads all
    // crawls' events waits for those who hold it.
    internal const string ReserveSql =
        """
        with table_lock as (
            insert into crawl_events (crawl_id, event_type, payload) select null::uuid, null, null::jsonb where false
        ), runs as materialized (
            select id from crawl_runs where id = any (@parent_ids) order by id for no key update
        )
        select array(select nextval('crawl_events_id_seq') from generate_series(1, case locked.runs when cardinality(@parent_ids) then @rows else 0 end)),
               pg_current_xact_id(),
               now()
        from (select count(*) as runs from runs) as locked
        """;

    internal const string TimeSql = "select created_at from crawl_events where id = @row_id and crawl_id = @parent_id";

    internal const string CopySql = $"copy crawl_events ({Columns}) from stdin (format binary)";

    internal const string UnknownParentsSql =
        """
        select id from unnest(@parent_ids) as asked (id)
        where not exists (select from crawl_runs where crawl_runs.id = asked.id)
        """;

    // The row comparison beside the equality keeps a generic plan on (crawl_id, id), where "id > @after_id" may walk the primary key.
    private const string Condition =
        """
        where crawl_id = @crawl_id
          and (crawl_id, id) > (@crawl_id, @after_id)
          and (crawl_id, id) <= (@crawl_id, @up_to_id)
          and (@event_types is null or event_type = any (@event_types))
          and (@created_from is null or created_at >= @created_from)
          and (@created_before is null or created_at < @created_before)
        """;

    internal const string ReadSql = $"select {Columns} from crawl_events {Condition} order by crawl_id, id limit @limit";

    internal const string CountSql = $"select count(*) from crawl_events {Condition}";

    internal const string CountByTypeSql = $"select event_type, count(*) from crawl_events {Condition} group by event_type";

    internal const string GetSql = $"select {Columns} from crawl_events where crawl_id = @crawl_id and id = @row_id";

    internal const string LastSql = $"select {Columns} from crawl_events where crawl_id = @crawl_id order by crawl_id desc, id desc limit 1";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly NpgsqlDataSource reads = readDataSource ?? dataSource;
    private readonly Appender appender = new(dataSource, retry ?? new RetryOptions(), new Telemetry(dataSource, Table), logger.Guarded());
    private readonly CrawlEventFollower follower = new(dataSource, retry ?? new RetryOptions(), Read, new Telemetry(dataSource, Table), logger.Guarded());
    private readonly CrawlEventNotifier? notifier = notify ? new CrawlEventNotifier(dataSource, logger.Guarded()) : null;

    internal Telemetry Telemetry => appender.Telemetry;

    /// <summary>Appends one event.</summary>
    /// <returns>Its id.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether it is stored; not in a caller's transaction.</exception>
    /// <exception cref="NpgsqlException">It could not be stored.</exception>
    public async Task<long> AppendAsync(
        Guid crawlId, NewCrawlEvent crawlEvent, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(crawlEvent);
        var ids = await appender.RunAsync(1, InsertAsync, transaction, cancellationToken).ConfigureAwait(false);
        if (transaction is null)
        {
            notifier?.Notify([crawlId]);
        }

        return ids[0];

        async Task<Appended> InsertAsync(NpgsqlConnection connection, NpgsqlTransaction inTransaction)
        {
            var parameters = new Parameters
            {
                { "crawl_id", NpgsqlDbType.Uuid, crawlId },
                { "event_type", NpgsqlDbType.Varchar, crawlEvent.EventType },
                { "payload", NpgsqlDbType.Jsonb, crawlEvent.Payload.Utf8 },
                { "created_at", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(crawlEvent.CreatedAt) },
            };
            var insert = Command(InsertOneSql, parameters, inTransaction, cancellationToken);
            var rows = await connection.ReadListAsync(insert, row => (Id: row.GetInt64(0), Transaction: TransactionIdentity.Read(row, 1))).ConfigureAwait(false);
            return rows is [var (id, identity)]
                ? new Appended([id], identity, crawlId, Timestamps.ToZoneless(crawlEvent.CreatedAt) ?? identity.Start)
                : throw new RowNotFoundException(ParentTable, [crawlId]);
        }
    }

    /// <summary>Appends events to one crawl, all or none. When there are none, nothing is done, and the crawl is not looked for.</summary>
    /// <returns>The ids, in the order of the events; they rise.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether it is stored; not in a caller's transaction.</exception>
    /// <exception cref="NpgsqlException">It could not be stored.</exception>
    public Task<IReadOnlyList<long>> AppendAsync(
        Guid crawlId, IEnumerable<NewCrawlEvent> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        return AppendAsync(new Appender<NewCrawlEvent>.OfOneParent(crawlId, [.. events]), transaction, cancellationToken);
    }

    /// <summary>Appends events to one or several crawls, all or none. Such calls never deadlock with each other: each takes the locks of its runs first, in
    /// one order.</summary>
    /// <returns>The ids, in the order of the events; they rise.</returns>
    /// <exception cref="RowNotFoundException">One or more of the crawls do not exist. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether they are stored; not in a caller's transaction.</exception>
    /// <exception cref="NpgsqlException">They could not be stored.</exception>
    public async Task<IReadOnlyList<long>> AppendAsync(
        IReadOnlyList<(Guid CrawlId, NewCrawlEvent Event)> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        if (events is [(var crawlId, { } crawlEvent)])
        {
            return [await AppendAsync(crawlId, crawlEvent, transaction, cancellationToken).ConfigureAwait(false)];
        }

        var ids = await appender.AppendAsync(events, transaction, cancellationToken).ConfigureAwait(false);
        if (transaction is null)
        {
            notifier?.Notify(events.Select(item => item.CrawlId));
        }

        return ids;
    }

    /// <summary>Appends a stream of events to one crawl, all or none, however long it is: a few megabytes of it are held at a time.</summary>
    /// <remarks>From the first events to the end of the stream the run's lock and one connection are held, so others who append to this crawl wait: meant for
    /// a source that does not wait itself, such as a file. In a transaction of the caller's a savepoint is used: when the source throws, the call is
    /// cancelled or the server refuses an event, the transaction is as it was before the call, and still usable. A COMMIT that is cut off is settled as any
    /// append's, but nothing is tried again, since a stream can be read once only: what may pass comes as <see cref="NpgsqlException"/>, and nothing is
    /// stored.</remarks>
    /// <returns>How many events were appended; 0 for an empty stream, whose crawl is not looked for.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl. Nothing is stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether it is stored; not in a caller's transaction.</exception>
    /// <exception cref="NpgsqlException">It could not be stored.</exception>
    public async Task<long> AppendStreamAsync(
        Guid crawlId, IAsyncEnumerable<NewCrawlEvent> events, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        long appended = 0;
        await Telemetry.RunAsync("append", 0, async () => transaction is null
            ? await appender.Settled.RunOnceAsync(CopyAsync, cancellationToken).ConfigureAwait(false)
            : (await dataSource.UseAsync(
                transaction, connection => CopyWithSavepointAsync(connection, transaction, CopyAsync, cancellationToken), cancellationToken).ConfigureAwait(false)).Ids)
            .ConfigureAwait(false);
        Telemetry.Appended(appended);
        if (transaction is null)
        {
            notifier?.Notify([crawlId]);
        }

        return appended;

        async Task<Appended> CopyAsync(NpgsqlConnection connection, NpgsqlTransaction inTransaction)
        {
            Appended last = default;
            await foreach (var chunk in ChunkAsync(crawlId, events, cancellationToken).ConfigureAwait(false))
            {
                last = await appender.CopyAsync(connection, inTransaction, chunk, cancellationToken).ConfigureAwait(false);
                appended += chunk.Count;
            }

            return last;
        }
    }

    /// <summary>Tells those who follow a crawl and listen that it has new events, as appends do by themselves: for those who append in a transaction of their own,
    /// when it is committed. It returns at once. Does nothing when the repository does not notify.</summary>
    public void Notify(Guid crawlId) => notifier?.Notify([crawlId]);

    /// <summary>Follows a crawl: everything after a cursor, in order, each event once, then what is appended, as it is committed. It ends by itself when the run is
    /// COMPLETED, FAILED or CANCELLED and its events have been given.</summary>
    /// <remarks>
    /// <para>It reads by the last id that it has given, so it goes on from there after a lost connection or a restart of the server, and so may the application in
    /// another process, with the last id that it has handled. Nothing is missed for the reason that this class tells of under <b>Order</b>, as long as the server's
    /// <c>synchronous_commit</c> is not off: with that a crash may take back events that have been given. Events that are appended after a run has ended are given
    /// when they were committed before the last read.</para>
    /// <para>No connection and no transaction is held while events are handled, or waited for. A read that fails for a reason that may pass is tried again, as long as
    /// the <see cref="RetryOptions"/> say; it then throws the error, and the application may follow on from its last id.</para>
    /// </remarks>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="afterId">The last event's id that is not wanted any more; null for all.</param>
    /// <param name="options">How to wait; the defaults when null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="RowNotFoundException">There is no such crawl, or there is none any more.</exception>
    /// <exception cref="InvalidOperationException">It is to listen, and the data source multiplexes.</exception>
    public IAsyncEnumerable<CrawlEvent> FollowAsync(
        Guid crawlId, long? afterId = null, CrawlEventFollowOptions? options = null, CancellationToken cancellationToken = default) =>
        follower.FollowAsync(crawlId, afterId, options ?? CrawlEventFollowOptions.Default, cancellationToken);

    /// <summary>Follows all crawls: every event after a cursor, in the order of the ids, each once, then what is appended, as soon as nothing can come before it any
    /// more, a batch with each read that finds some. It does not end by itself.</summary>
    /// <inheritdoc cref="ListAllAsync" path="/remarks"/>
    /// <param name="cursor">The <see cref="CrawlEventBatch.Cursor"/> of the last batch that was handled; null for all events.</param>
    /// <param name="options">How to wait, and the most events of a batch; the defaults when null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <returns>Batches, none of them empty.</returns>
    /// <exception cref="InvalidValueException">The cursor is none of a batch; or it is beyond all ids: it is of another database, or of a server that was
    /// lost.</exception>
    /// <exception cref="InvalidOperationException">The server is a standby; or it is to listen, and the data source multiplexes.</exception>
    public IAsyncEnumerable<CrawlEventBatch> FollowAllAsync(
        string? cursor = null, CrawlEventFollowOptions? options = null, CancellationToken cancellationToken = default) =>
        follower.FollowAllAsync(cursor, options ?? CrawlEventFollowOptions.Default, cancellationToken);

    /// <summary>Lists events of all crawls in the order of their ids, up to where nothing can come before them any more: the next are asked for with the
    /// batch's cursor, and none is missed.</summary>
    /// <remarks>
    /// <para>It rests on the table's lock, which every transaction takes before it draws an id for an event, and holds until it has ended: the newest event's id is read,
    /// then who holds the lock (<c>pg_locks</c>), and when those have ended, all up to that id is there or never will be. It holds for plain INSERTs too, though not for
    /// those who draw ids from the sequence beforehand, nor with a sequence that caches, or a <c>synchronous_commit</c> that is off.</para>
    /// <para>A transaction that has appended, or has deleted events or a run, and stays open, holds back the events after it until it ends, and from one who only begins to
    /// read those before it too: keep those short, and import during calm hours. Others, however long, hold nothing back. A read costs a look at the end of the primary key
    /// and, when there is something new, at the server's locks, and no connection is held while it waits; on a standby it is refused.</para>
    /// </remarks>
    /// <param name="cursor">The <see cref="CrawlEventBatch.Cursor"/> of the last batch that was handled; null for all events.</param>
    /// <param name="limit">The most events, at least 1.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The events; none when nothing has come after the cursor, or what has come is held back for longer than a second.</returns>
    /// <exception cref="InvalidValueException">The limit is less than 1; the cursor is none of a batch; or it is beyond all ids: it is of another database, or
    /// of a server that was lost.</exception>
    /// <exception cref="InvalidOperationException">The server is a standby.</exception>
    public async Task<CrawlEventBatch> ListAllAsync(string? cursor = null, int limit = 1_000, CancellationToken cancellationToken = default) =>
        limit >= 1
            ? await follower.ReadAllAsync(cursor, limit, cancellationToken).ConfigureAwait(false)
            : throw new InvalidValueException("limit", $"is {limit}; the least is 1");

    /// <summary>Streams a crawl's events in the order of their ids, each as it arrives.</summary>
    /// <remarks>One query, with one snapshot, on one connection that is held while the enumeration goes on; memory is that of a row. A consumer that is slow
    /// or waits for others reads pages with <see cref="ListAsync"/> instead. Leaving early cancels the query on the server and does not read the rest;
    /// cancelling leaves the pool healthy. In a transaction nothing else can be done on its connection until the enumeration ends, and leaving early reads the
    /// rest, since a query that is cancelled would abort it.</remarks>
    /// <param name="crawlId">The crawl; one that does not exist has no events.</param>
    /// <param name="filter">Which events; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    public IAsyncEnumerable<CrawlEvent> StreamAsync(
        Guid crawlId, CrawlEventFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.StreamAsync(ReadSql, () => ToReadParameters(crawlId, filter), Read, transaction, cancellationToken);

    /// <summary>Lists a crawl's events in the order of their ids, a page at a time.</summary>
    /// <param name="crawlId">The crawl; one that does not exist has no events.</param>
    /// <param name="filter">Which events; all when null. Give the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most events on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The page before's <see cref="Page{T}.NextCursor"/>; null for the first page. A page starts after an event; of it and
    /// <see cref="CrawlEventFilter.AfterId"/> the later counts.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned for this crawl, or the page size is out of range.</exception>
    public async Task<Page<CrawlEvent>> ListAsync(
        Guid crawlId,
        CrawlEventFilter? filter = null,
        int pageSize = 1_000,
        string? cursor = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        PageBuilder.RequireSize(pageSize, MaxPageSize);
        var afterId = cursor is null ? (long?)null : KeysetCursor<long>.Decode(cursor, CursorKind.Events, crawlId).Id;
        var parameters = ToReadParameters(crawlId, filter, afterId, pageSize + 1);
        var rows = await reads.ReadListAsync(Command(ReadSql, parameters, transaction, cancellationToken), Read()).ConfigureAwait(false);
        return PageBuilder.Build(rows, pageSize, last => new KeysetCursor<long>(default, last.Id).Encode(CursorKind.Events, crawlId));
    }

    /// <summary>Gets an event; null when the crawl has none of that id.</summary>
    /// <remarks>In no transaction it is read where it was written, and never from the data source for reads: it settles an <see
    /// cref="AppendOutcomeUnknownException"/>, and a standby that lags would not have the event yet.</remarks>
    /// <param name="crawlId">The crawl that it belongs to.</param>
    /// <param name="id">The event.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public async Task<CrawlEvent?> GetAsync(Guid crawlId, long id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "crawl_id", NpgsqlDbType.Uuid, crawlId }, { "row_id", NpgsqlDbType.Bigint, id } };
        return (await dataSource.ReadListAsync(Command(GetSql, parameters, transaction, cancellationToken), Read()).ConfigureAwait(false)).SingleOrDefault();
    }

    /// <summary>Gets a crawl's last event; null when it has none.</summary>
    public async Task<CrawlEvent?> GetLastAsync(Guid crawlId, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "crawl_id", NpgsqlDbType.Uuid, crawlId } };
        return (await reads.ReadListAsync(Command(LastSql, parameters, transaction, cancellationToken), Read()).ConfigureAwait(false)).SingleOrDefault();
    }

    /// <summary>Counts a crawl's events.</summary>
    /// <param name="crawlId">The crawl; one that does not exist has no events.</param>
    /// <param name="filter">Which events; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public async Task<long> CountAsync(
        Guid crawlId, CrawlEventFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var command = Command(CountSql, ToParameters(crawlId, filter), transaction, cancellationToken);
        return (await reads.ReadListAsync(command, row => row.GetInt64(0)).ConfigureAwait(false))[0];
    }

    /// <summary>Counts a crawl's events by type.</summary>
    /// <param name="crawlId">The crawl; one that does not exist has no events.</param>
    /// <param name="filter">Which events; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for each type that occurs.</returns>
    public Task<IReadOnlyDictionary<string, long>> CountByTypeAsync(
        Guid crawlId, CrawlEventFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.CountByTextAsync(Command(CountByTypeSql, ToParameters(crawlId, filter), transaction, cancellationToken));

    /// <summary>Gathers events into chunks that are copied at once; each chunk is good until the next.</summary>
    private async IAsyncEnumerable<IReadOnlyList<(Guid, NewCrawlEvent)>> ChunkAsync(
        Guid crawlId, IAsyncEnumerable<NewCrawlEvent> events, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long before = 0;
        long bytes = 0;
        var chunk = new List<(Guid, NewCrawlEvent)>(Appender.CopyFromRows);
        await foreach (var crawlEvent in events.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            appender.RequireNotNull(crawlEvent, before + chunk.Count);
            chunk.Add((crawlId, crawlEvent));
            bytes += appender.BytesOf(crawlEvent);
            if (chunk.Count == Appender.CopyFromRows || bytes >= Appender.ChunkBytes)
            {
                yield return chunk;
                before += chunk.Count;
                bytes = 0;
                chunk.Clear();
            }
        }

        if (chunk.Count > 0)
        {
            yield return chunk;
        }
    }

    private static async Task<Appended> CopyWithSavepointAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Func<NpgsqlConnection, NpgsqlTransaction, Task<Appended>> copy, CancellationToken cancellationToken)
    {
        const string savepoint = "crawldata_append";
        await transaction.SaveAsync(savepoint, cancellationToken).ConfigureAwait(false);
        try
        {
            var appended = await copy(connection, transaction).ConfigureAwait(false);
            await transaction.ReleaseAsync(savepoint, CancellationToken.None).ConfigureAwait(false);
            return appended;
        }
        catch when (connection.State == ConnectionState.Open)
        {
            await transaction.RollbackAsync(savepoint, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    // In the order of Columns. The payload stays the bytes that came.
    private static Func<DbDataReader, CrawlEvent> Read()
    {
        var eventTypes = new RepeatedText(maxLength: 50);
        return row => new CrawlEvent
        {
            Id = row.GetInt64(0),
            CrawlId = row.GetGuid(1),
            EventType = eventTypes.Get(row, 2),
            Payload = row.GetJsonb(3),
            CreatedAt = row.GetInstant(4),
        };
    }

    /// <summary>Makes the parameters of <see cref="ReadSql"/>.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="filter">Which events; all when null.</param>
    /// <param name="afterId">Where to begin, unless the filter begins later.</param>
    /// <param name="limit">The most events; no limit when null.</param>
    internal static Parameters ToReadParameters(Guid crawlId, CrawlEventFilter? filter, long? afterId = null, int? limit = null)
    {
        var parameters = ToParameters(crawlId, filter, afterId);
        parameters.Add("limit", NpgsqlDbType.Bigint, limit);
        return parameters;
    }

    private static Parameters ToParameters(Guid crawlId, CrawlEventFilter? filter, long? afterId = null)
    {
        filter ??= CrawlEventFilter.All;
        return new Parameters
        {
            { "crawl_id", NpgsqlDbType.Uuid, crawlId },
            { "after_id", NpgsqlDbType.Bigint, Math.Max(filter.AfterId ?? long.MinValue, afterId ?? long.MinValue) },
            { "up_to_id", NpgsqlDbType.Bigint, filter.UpToId ?? long.MaxValue },
            { "event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.EventTypes?.ToArray() },
            { "created_from", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(filter.CreatedFrom) },
            { "created_before", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(filter.CreatedBefore) },
        };
    }

    private sealed class Appender(NpgsqlDataSource dataSource, RetryOptions retry, Telemetry telemetry, ILogger logger)
        : Appender<NewCrawlEvent>(dataSource, new SettledTransaction(dataSource, retry.Limit, TimeSql, telemetry, logger), telemetry)
    {
        protected override string InsertSql => CrawlEventRepository.InsertSql;

        protected override string ReserveSql => CrawlEventRepository.ReserveSql;

        protected override string CopySql => CrawlEventRepository.CopySql;

        protected override string UnknownParentsSql => CrawlEventRepository.UnknownParentsSql;

        protected override string ParentTable => CrawlEventRepository.ParentTable;

        protected override string RowsName => "events";

        public override int BytesOf(NewCrawlEvent row) => row.Payload.Utf8.Length;

        protected override DateTime? TimeOf(NewCrawlEvent row) => Timestamps.ToZoneless(row.CreatedAt);

        protected override void AddColumns(Parameters parameters, IReadOnlyList<(Guid ParentId, NewCrawlEvent Row)> rows)
        {
            parameters.Add("event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(item => item.Row.EventType).ToArray());
            parameters.Add("payloads", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(item => item.Row.Payload.Utf8).ToArray());
            parameters.Add("created_ats", NpgsqlDbType.Array | NpgsqlDbType.Timestamp, rows.Select(item => TimeOf(item.Row)).ToArray());
        }

        protected override async Task WriteAsync(NpgsqlBinaryImporter importer, NewCrawlEvent row)
        {
            await importer.WriteAsync(row.EventType, NpgsqlDbType.Varchar, CancellationToken.None).ConfigureAwait(false);
            await importer.WriteAsync(row.Payload.Utf8, NpgsqlDbType.Jsonb, CancellationToken.None).ConfigureAwait(false);
        }
    }
}

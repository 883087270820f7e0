using CrawlData.Instrumentation;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Crawls;

public sealed partial class CrawlRunQueue
{
    // The ids of events rise with time, within the length of a transaction. The events' times do not count: a worker may set them by a clock that is wrong.
    // A run that was started without a claim has the time of its start as its first sign of life. "offset 0" makes the condition look up one run. The newest
    // event is looked up by the index: with "exists", the server may read all events for one after the mark.
    private const string Stale =
        $"""
        status operator(pg_catalog.=) 'RUNNING'
          and coalesce(started_at <= (pg_catalog.now() - @silent_for) at time zone 'utc', true)
          and not exists (select from crawl_run_claims where run_id = crawl_runs.id and heartbeat_at > pg_catalog.now() - @silent_for offset 0)
          and coalesce((select id from crawl_events where {CrawlEventStatements.OfRun} order by crawl_id desc, id desc limit 1) <= @mark, true)
        """;

    // As above, where each crawl has a node of its own: Citus sees by the equality that a run's events are beside it.
    private const string StaleByCrawl =
        $"""
        status operator(pg_catalog.=) 'RUNNING'
          and coalesce(started_at <= (pg_catalog.now() - @silent_for) at time zone 'utc', true)
          and not exists (select from crawl_run_claims where run_id = crawl_runs.id and heartbeat_at > pg_catalog.now() - @silent_for)
          and coalesce((select id from crawl_events where crawl_id = crawl_runs.id order by crawl_id desc, id desc limit 1) <= @mark, true)
        """;

    private const string Failed =
        $"""
        ), changed as (
            update crawl_runs
            set status = 'FAILED', completed_at = pg_catalog.statement_timestamp() at time zone 'utc',
                error_message = 'the run was stale: it had no event and no heartbeat for ' || @silent_for::text
            from stale where crawl_runs.id = stale.id
            returning crawl_runs.*
        )
        select {CrawlRunRepository.Columns} from changed
        """;

    internal const string TakeMarkSql =
        """
        insert into crawl_event_marks (marked_at, event_id)
        select pg_catalog.clock_timestamp(), coalesce(pg_catalog.max(id), 0) from crawl_events
        on conflict do nothing
        """;

    internal const string ThinMarksSql =
        $"""
        with marks as (
            select marked_at from crawl_event_marks
        ), superfluous as materialized (
            select marked_at from crawl_event_marks where {NewestRowMarks.IsSuperfluous} for update skip locked
        )
        delete from crawl_event_marks where marked_at = any (array(select marked_at from superfluous))
        """;

    // In a statement of its own: Citus would send it to a node with the marks, which has a sequence of its own.
    internal const string LastIdSql = "select coalesce(pg_catalog.pg_sequence_last_value('crawl_events_id_seq'), 0)";

    // A mark beyond the sequence is from before the sequence was set back. Events that came after it have lower ids. The sequence has no value before the first
    // event of all.
    internal const string MarkSql =
        $"""
        select event_id from crawl_event_marks
        where {NewestRowMarks.IsOldEnough} and event_id <= @drawn_id
        order by marked_at desc
        limit 1
        """;

    internal const string ListStaleSql = $"select {CrawlRunRepository.Columns} from crawl_runs where {Stale} order by created_at, id limit @limit";

    internal const string ListStaleByCrawlSql =
        $"select {CrawlRunRepository.Columns} from crawl_runs where {StaleByCrawl} order by created_at, id limit @limit";

    internal const string LockStaleSql =
        $"""
        select id from crawl_runs
        where {Stale} and {CrawlRunRepository.Readable}
        order by created_at, id limit @limit
        for no key update skip locked
        """;

    // The locked runs are checked again, in a second statement. Its snapshot holds the events and heartbeats that were committed before the locks.
    internal const string FailStaleSql =
        $"""
        with stale as materialized (
            select id from crawl_runs where id = any (@ids) and {Stale} and {CrawlRunRepository.Readable}
        {Failed}
        """;

    // These take the place of the two above where each crawl has a node of its own. Runs are locked one at a time there.
    internal const string FindStaleByCrawlSql =
        $"""
        select id from crawl_runs
        where {StaleByCrawl} and {CrawlRunRepository.Readable}
        order by created_at, id limit @limit
        """;

    internal const string LockByCrawlSql = "select id from crawl_runs where id = any (@ids) for no key update skip locked";

    internal const string FailStaleByCrawlSql =
        $"""
        with stale as materialized (
            select id from crawl_runs where id = any (@ids) and {StaleByCrawl} and {CrawlRunRepository.Readable}
        {Failed}
        """;

    // The newest event is looked up by the index, as above.
    internal const string ListSilentSql =
        $"""
        select {CrawlRunRepository.Columns} from crawl_runs
        where status operator(pg_catalog.=) 'RUNNING'
          and coalesce(started_at, created_at) <= (pg_catalog.now() - @silent_for) at time zone 'utc'
          and not exists (select from crawl_run_claims where run_id = crawl_runs.id and heartbeat_at > pg_catalog.now() - @silent_for offset 0)
          and coalesce(
              (select created_at from crawl_events where {CrawlEventStatements.OfRun} order by crawl_id desc, id desc limit 1)
                  <= (pg_catalog.now() - @silent_for) at time zone 'utc',
              true)
        order by created_at, id limit @limit
        """;

    internal const string ListSilentByCrawlSql =
        $"""
        select {CrawlRunRepository.Columns} from crawl_runs
        where status operator(pg_catalog.=) 'RUNNING'
          and coalesce(started_at, created_at) <= (pg_catalog.now() - @silent_for) at time zone 'utc'
          and not exists (select from crawl_run_claims where run_id = crawl_runs.id and heartbeat_at > pg_catalog.now() - @silent_for)
          and coalesce(
              (select created_at from crawl_events where crawl_id = crawl_runs.id order by crawl_id desc, id desc limit 1)
                  <= (pg_catalog.now() - @silent_for) at time zone 'utc',
              true)
        order by created_at, id limit @limit
        """;

    private static readonly NewestRowMarks Marks = new(TakeMarkSql, ThinMarksSql, LastIdSql, MarkSql);

    /// <summary>Lists stale runs, oldest first. They are running, and have had neither an event nor a heartbeat for a while.</summary>
    /// <remarks>It reads from the primary. On a standby that lags behind, the runs of healthy workers could look stale. It relies on the marks that
    /// <see cref="FailStaleAsync"/> takes: a run is listed once it has got no event since a mark that is old enough.</remarks>
    /// <param name="silentFor">The time without a sign of life, by the database's clock. From 1 µs to 36,500 days.</param>
    /// <param name="limit">The most runs, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The stale runs, oldest first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or the limit is out of range.</exception>
    public async Task<IReadOnlyList<CrawlRun>> ListStaleAsync(
        TimeSpan silentFor, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        NewestRowMarks.RequireStale(silentFor, limit);
        var distribution = await CrawlDistribution.OfAsync(dataSource, transaction, cancellationToken).ConfigureAwait(false);
        return await Marks.ListStaleAsync(
            dataSource,
            distribution.IsByCrawl ? ListStaleByCrawlSql : ListStaleSql,
            silentFor,
            limit,
            CrawlRunRepository.Map,
            new PassedOverRows(telemetry, log),
            transaction,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lists running runs that look stale by the times that are stored: of the start, of the last heartbeat, and of the newest event. Oldest
    /// first.</summary>
    /// <remarks>It needs no marks, unlike <see cref="ListStaleAsync"/>, and works where nothing calls <see cref="FailStaleAsync"/>. But workers may set the
    /// times of events, and their clocks may be wrong. So it is for an operator to look at, and no proof.</remarks>
    /// <param name="silentFor">The time without a sign of life, by the database's clock. From 1 µs to 36,500 days.</param>
    /// <param name="limit">The most runs, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The silent runs, oldest first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or the limit is out of range.</exception>
    public async Task<IReadOnlyList<CrawlRun>> ListSilentAsync(
        TimeSpan silentFor, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        NewestRowMarks.RequireStale(silentFor, limit);
        var distribution = await CrawlDistribution.OfAsync(dataSource, transaction, cancellationToken).ConfigureAwait(false);
        return await dataSource.ListSilentAsync(
            distribution.IsByCrawl ? ListSilentByCrawlSql : ListSilentSql,
            silentFor,
            limit,
            CrawlRunRepository.Map,
            new PassedOverRows(telemetry, log),
            transaction,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Fails stale runs: RUNNING → FAILED. It stores the reason, and sets <c>completed_at</c> to the time of the database's clock.</summary>
    /// <remarks>
    /// <para>Each call takes a mark: which event is the newest at this time of the database's clock. A run is stale when it was started, and had its last
    /// heartbeat, at least <paramref name="silentFor"/> ago, and has got no event since a mark that is as old, or older. The times of events do not count, so a
    /// worker's clock may be wrong. Runs that were started without a claim are included. Call it regularly: a dead worker is noticed after
    /// <paramref name="silentFor"/>, a tenth of it, and the time between two calls. The first call in a database finds none.</para>
    /// <para>An event counts from the moment when its id is drawn. A worker that appends in long transactions needs a <paramref name="silentFor"/> longer
    /// than these. A run whose row another transaction has locked, such as an append, is passed over.</para>
    /// <para>A worker may be only slow. When its run was failed, its changes are refused, and its events are if it writes them with its claim. Calls may run
    /// concurrently. Each run is failed once.</para>
    /// <para>A run that gets an event or a heartbeat before its row is locked is not failed. It relies on a check after the lock. In a transaction at
    /// REPEATABLE READ or above, that check does not see what was committed after the transaction's snapshot.</para>
    /// </remarks>
    /// <param name="silentFor">The time without a sign of life, by the database's clock. From 1 µs to 36,500 days. Choose more than the longest pause between
    /// two events or heartbeats of a healthy worker.</param>
    /// <param name="limit">The most runs, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null. In one transaction with <see cref="RetryAsync"/>, each failed run gets its retry, or none
    /// is failed.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The failed runs as they are now, oldest first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or the limit is out of range.</exception>
    /// <example>
    /// <code>
    /// foreach (var run in await queue.FailStaleAsync(TimeSpan.FromMinutes(5)))
    /// {
    ///     await queue.RetryAsync(run.Id, delay: TimeSpan.FromMinutes(1), maxAttempts: 3);
    /// }
    /// </code>
    /// </example>
    public async Task<IReadOnlyList<CrawlRun>> FailStaleAsync(
        TimeSpan silentFor, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        NewestRowMarks.RequireStale(silentFor, limit);
        Connections.ThrowIfAmbient(transaction);
        var distribution = await CrawlDistribution.OfAsync(dataSource, transaction, cancellationToken).ConfigureAwait(false);
        var (lockSql, lockOneSql, failSql) = distribution.IsByCrawl
            ? (FindStaleByCrawlSql, LockByCrawlSql, FailStaleByCrawlSql)
            : (LockStaleSql, (string?)null, FailStaleSql);
        var failed = await telemetry.RunAsync(
            "rescue",
            0,
            () => Marks.ChangeStaleAsync(
                dataSource, lockSql, lockOneSql, failSql, silentFor, limit, new Parameters(), CrawlRunRepository.Map, transaction, cancellationToken))
            .ConfigureAwait(false);
        failed.Sort(static (one, other) => one.CreatedAt.CompareTo(other.CreatedAt));
        foreach (var run in failed)
        {
            telemetry.StaleRunFailed();
            Log.StaleRunFailed(log, run.Id);
        }

        return failed;
    }
}

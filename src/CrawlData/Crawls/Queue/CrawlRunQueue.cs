using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>The queue of crawl runs: claims, ends, releases, retries, and failing of stale runs. It works on the table <c>crawl_runs</c>, and on tables
/// beside it. Instances are thread-safe.</summary>
/// <remarks>
/// <para><b>Fencing token.</b> Each claim has a number, which only rises: <see cref="CrawlRunClaim.Number"/>. The worker passes its claim with each change,
/// and with each event. They are refused when the run was released or claimed again, or is no longer RUNNING. So a worker that was taken for dead cannot write
/// into a run that has ended, or that another worker has. It relies on the run's row lock, and on the claim's row, which is read under that lock.
/// <see cref="CrawlRunRepository"/> changes a run's status without a claim. That is for operators, and for workers that claim nothing.</para>
/// <para><b>Stale runs.</b> Events are signs of life. A worker that writes none for long calls <see cref="HeartbeatAsync"/>. A running run without a sign of
/// life for a time that the caller chooses, by the server's clock, is stale: its worker is dead, or slow.</para>
/// <para><b>Unreadable runs.</b> A run with a status that this version does not know, or with a time that <see cref="DateTimeOffset"/> cannot hold, is neither
/// claimed nor failed as stale. Other versions may know it. A change of such a run changes nothing, and throws <see cref="UnreadableRowException"/>.</para>
/// <para><b>Transactions.</b> Methods take the caller's transaction. Without one, each call is a transaction of its own. In a transaction at REPEATABLE READ or
/// above, the loser of a race gets the server's SQLSTATE 40001.</para>
/// <para><b>Errors.</b> Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>. Nothing is retried.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="logger">Logs claims, stale runs and retries; may be null.</param>
/// <param name="notify">Whether releases, and retries without a delay, notify workers that listen. The notification is sent by the commit. A transaction that
/// notifies cannot be prepared (two-phase commit).</param>
/// <param name="timeProvider">Measures the pauses of <see cref="StreamClaimsAsync"/>; <see cref="TimeProvider.System"/> when null.</param>
/// <example>
/// <code>
/// while (await queue.ClaimNextAsync() is { } claim)
/// {
///     await CrawlAsync(claim); // writes events with writer.WriteAsync(claim, crawlEvent)
///     await writer.FlushAsync(claim.Run.Id);
///     await queue.CompleteAsync(claim);
/// }
/// </code>
/// </example>
public sealed partial class CrawlRunQueue(
    NpgsqlDataSource dataSource, ILogger<CrawlRunQueue>? logger = null, bool notify = false, TimeProvider? timeProvider = null)
{
    private const string Claimed =
        """
        claimed as (
            insert into crawl_run_claims (run_id, claim, heartbeat_at)
            select id, 1, pg_catalog.clock_timestamp() from oldest
            on conflict (run_id) do update set claim = crawl_run_claims.claim + 1, heartbeat_at = excluded.heartbeat_at
            returning run_id, claim
        ), clock as materialized (
            select pg_catalog.clock_timestamp() at time zone 'utc' as time
        )
        """;

    // The numbers are 2,147,483,646 at most, so that a release can raise each. A run that is at that number is passed over, and so is a run that cannot be
    // read: its claim would be committed, and nobody would have it. "offset 0" makes the conditions a look-up for each run that is passed, in the order of the
    // index. The number of a claim that another transaction has committed meanwhile is seen by "on conflict".
    internal const string ClaimNextSql =
        $"""
        with oldest as materialized (
            select id from crawl_runs
            where status operator(pg_catalog.=) 'PENDING'
              and not exists (select from crawl_run_claims where run_id = crawl_runs.id and claim >= 2147483646 offset 0)
              and not exists (select from crawl_run_retries where run_id = crawl_runs.id and not_before > pg_catalog.clock_timestamp() offset 0)
              and {CrawlRunRepository.Readable}
            order by created_at, id limit 1 for no key update skip locked
        ), {Claimed}, changed as (
            update crawl_runs set status = 'RUNNING', started_at = clock.time
            from claimed, clock where crawl_runs.id = claimed.run_id
            returning crawl_runs.*
        )
        select {CrawlRunRepository.Columns},
               (select claim from claimed),
               coalesce((select attempt from crawl_run_retries where run_id = changed.id), 1)
        from changed
        """;

    // Where each crawl has a node of its own, these find and claim the next run. Another transaction may claim it in between: then the next one is tried.
    internal const string ListPendingByCrawlSql =
        $"""
        select id from crawl_runs
        where status operator(pg_catalog.=) 'PENDING'
          and id <> all (@ids)
          and id <> all (array(select run_id from crawl_run_retries where not_before > pg_catalog.now()))
          and not exists (select from crawl_run_claims where run_id = crawl_runs.id and claim >= 2147483646)
          and {CrawlRunRepository.Readable}
        order by created_at, id limit 10
        """;

    internal const string ClaimByCrawlSql =
        $"""
        with oldest as materialized (
            select id from crawl_runs
            where id = @id and status operator(pg_catalog.=) 'PENDING' and {CrawlRunRepository.Readable}
            for no key update skip locked
        ), {Claimed}, changed as (
            update crawl_runs set status = 'RUNNING', started_at = clock.time
            from claimed, clock where crawl_runs.id = @id and crawl_runs.id = claimed.run_id
            returning crawl_runs.*
        )
        select {CrawlRunRepository.Columns},
               (select claim from claimed),
               coalesce((select attempt from crawl_run_retries where run_id = @id), 1)
        from changed
        """;

    // The run is locked first, then its claim: the order of all statements. Each lock shows the row that another transaction committed meanwhile, which the
    // statement's snapshot does not have.
    internal const string TransitionSql =
        $"""
        with standing as materialized (
            select * from crawl_runs where id = @id for no key update
        ), held as materialized (
            select claim from crawl_run_claims where run_id = @id and exists (select from standing) for no key update
        ), clock as materialized (
            select pg_catalog.clock_timestamp() at time zone 'utc' as time from standing
        ), changed as (
            update crawl_runs
            set status = @to::crawl_status,
                started_at = case when @to = 'PENDING' then null else crawl_runs.started_at end,
                completed_at = case when @to in ('COMPLETED', 'FAILED') then clock.time else crawl_runs.completed_at end,
                cancelled_at = case when @to = 'CANCELLED' then clock.time else crawl_runs.cancelled_at end,
                error_message = coalesce(@error_message, crawl_runs.error_message)
            from standing, held, clock
            where crawl_runs.id = @id and standing.status operator(pg_catalog.=) 'RUNNING' and held.claim = @claim
              and exists (select from standing where {CrawlRunRepository.Readable})
            returning crawl_runs.*
        ), released as (
            update crawl_run_claims set claim = crawl_run_claims.claim + 1
            from changed where crawl_run_claims.run_id = @id and changed.status operator(pg_catalog.=) 'PENDING'
        )
        select {CrawlRunRepository.Columns}, (select claim from held) as held_claim, true as applied from changed
        union all
        select {CrawlRunRepository.Columns}, (select claim from held), false from standing where not exists (select from changed);
        {WorkQueue.NotifyRuns}
        """;

    // A claim's row that is locked has a sign of life: an append of its worker's, or another heartbeat. So no heartbeat waits, and none keeps others waiting.
    internal const string HeartbeatSql =
        """
        with asked as materialized (
            select run_id, claim, position
            from rows from (pg_catalog.unnest(@ids), pg_catalog.unnest(@claims)) with ordinality as asked (run_id, claim, position)
        ), held as materialized (
            select position, run_id
            from asked join crawl_run_claims using (run_id, claim) join crawl_runs on crawl_runs.id = run_id
            where status operator(pg_catalog.=) 'RUNNING'
        ), locked as materialized (
            select run_id from crawl_run_claims where run_id = any (array(select run_id from held)) order by run_id for no key update skip locked
        ), alive as (
            update crawl_run_claims set heartbeat_at = pg_catalog.statement_timestamp()
            from locked join asked using (run_id)
            where crawl_run_claims.run_id = locked.run_id and crawl_run_claims.claim = asked.claim
        )
        select position from asked where position <> all (array(select position from held)) order by position
        """;

    // As above, where each crawl has a node of its own: the claims that are held, and then one after another.
    internal const string ListHeldByCrawlSql =
        """
        select run_id, claim
        from crawl_run_claims join crawl_runs on crawl_runs.id = run_id
        where run_id = any (@ids) and status operator(pg_catalog.=) 'RUNNING'
        """;

    internal const string HeartbeatByCrawlSql =
        """
        with locked as materialized (
            select run_id from crawl_run_claims where run_id = @id and claim = @claim for no key update skip locked
        )
        update crawl_run_claims set heartbeat_at = pg_catalog.statement_timestamp()
        from locked where crawl_run_claims.run_id = @id and crawl_run_claims.run_id = locked.run_id
        """;

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly Telemetry telemetry = new(dataSource, CrawlRunRepository.Table);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Claims the oldest pending run: PENDING → RUNNING. It sets <c>started_at</c> to the time of the database's clock.</summary>
    /// <remarks>Concurrent claims get different runs, and do not wait for each other. It relies on <c>for no key update skip locked</c>. A retry is passed
    /// over before the time that its delay set. In the caller's transaction, the claim takes effect when that transaction commits.</remarks>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The claim; null when no run can be claimed.</returns>
    /// <example>
    /// <code>
    /// while (await queue.ClaimNextAsync() is { } claim)
    /// {
    ///     await CrawlAsync(claim);
    ///     await queue.CompleteAsync(claim);
    /// }
    /// </code>
    /// </example>
    public async Task<CrawlRunClaim?> ClaimNextAsync(NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        Connections.ThrowIfAmbient(transaction);
        return await dataSource.UseAsync(
            transaction, connection => ClaimAsync(connection, transaction, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Claims one run after another, each when the caller asks for the next: PENDING → RUNNING. While no run can be claimed, it waits.</summary>
    /// <remarks>With <see cref="ClaimOptions.Listen"/>, a run is claimed as soon as its transaction has notified. Otherwise the next poll finds it. A poll also
    /// finds a retry whose delay has passed. An error ends the stream. Call again after it.</remarks>
    /// <param name="options">How to wait; the defaults when null.</param>
    /// <param name="cancellationToken">Ends the stream with <see cref="OperationCanceledException"/>. A claim that is under way is not cancelled: it is
    /// returned first.</param>
    /// <returns>The claims.</returns>
    /// <exception cref="InvalidOperationException">The options say to listen, and the data source multiplexes.</exception>
    /// <example>
    /// <code>
    /// await foreach (var claim in queue.StreamClaimsAsync(new ClaimOptions { Listen = true }, stoppingToken))
    /// {
    ///     await CrawlAsync(claim);
    ///     await queue.CompleteAsync(claim);
    /// }
    /// </code>
    /// </example>
    public IAsyncEnumerable<CrawlRunClaim> StreamClaimsAsync(ClaimOptions? options = null, CancellationToken cancellationToken = default)
    {
        Connections.ThrowIfAmbient(null);
        return WorkQueue.StreamClaimsAsync(
            dataSource,
            WorkQueue.Runs,
            connection => ClaimAsync(connection, null, CancellationToken.None),
            options ?? ClaimOptions.Default,
            timeProvider ?? TimeProvider.System,
            log,
            cancellationToken);
    }

    /// <summary>Records a sign of life of claims. It is for workers that may write no event for long.</summary>
    /// <remarks>It takes no transaction, because a sign of life counts only once it is committed. It never waits for a lock: while a claim's own append holds
    /// one, that append is the sign of life.</remarks>
    /// <param name="claims">The claims.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The claims that are lost: their runs were released or claimed again, are no longer RUNNING, or were deleted. Their workers should
    /// stop.</returns>
    /// <exception cref="InvalidValueException">One of the claims is null. Nothing is recorded.</exception>
    public async Task<IReadOnlyList<CrawlRunClaim>> HeartbeatAsync(IReadOnlyList<CrawlRunClaim> claims, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(claims);
        Connections.ThrowIfAmbient(null);
        CrawlRunClaim[] asked = [.. claims.Select((claim, index) => claim ?? throw new InvalidValueException("claims", $"has null at index {index}"))];
        if (asked is [])
        {
            return [];
        }

        return await telemetry.RunAsync(
            "heartbeat",
            asked.Length,
            () => dataSource.UseAsync(
                null,
                async connection => (await CrawlDistribution.OfAsync(dataSource, connection, null, cancellationToken).ConfigureAwait(false)).IsByCrawl
                    ? await HeartbeatByCrawlAsync(connection, asked, cancellationToken).ConfigureAwait(false)
                    : await HeartbeatTogetherAsync(connection, asked, cancellationToken).ConfigureAwait(false),
                cancellationToken)).ConfigureAwait(false);
    }

    private static async Task<List<CrawlRunClaim>> HeartbeatTogetherAsync(
        NpgsqlConnection connection, CrawlRunClaim[] asked, CancellationToken cancellationToken)
    {
        var parameters = ToIds(asked.Select(claim => claim.Run.Id));
        parameters.Add("claims", NpgsqlDbType.Array | NpgsqlDbType.Integer, asked.Select(claim => claim.Number).ToArray());
        return await connection.QueryAsync(HeartbeatSql, parameters, row => asked[(int)row.GetInt64(0) - 1], null, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<List<CrawlRunClaim>> HeartbeatByCrawlAsync(
        NpgsqlConnection connection, CrawlRunClaim[] asked, CancellationToken cancellationToken)
    {
        var held = (await connection.QueryAsync(
            ListHeldByCrawlSql, ToIds(asked.Select(claim => claim.Run.Id)), row => (row.GetGuid(0), row.GetInt32(1)), null, cancellationToken)
            .ConfigureAwait(false)).ToHashSet();
        foreach (var (id, claim) in held.Intersect(asked.Select(claim => (claim.Run.Id, claim.Number))))
        {
            var parameters = new Parameters { { "id", NpgsqlDbType.Uuid, id }, { "claim", NpgsqlDbType.Integer, claim } };
            await connection.ExecuteAsync(HeartbeatByCrawlSql, parameters, null, cancellationToken).ConfigureAwait(false);
        }

        return [.. asked.Where(claim => !held.Contains((claim.Run.Id, claim.Number)))];
    }

    private static Parameters ToIds(IEnumerable<Guid> ids) => new() { { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids.ToArray() } };

    /// <summary>Completes a run: RUNNING → COMPLETED. It sets <c>completed_at</c> to the time of the database's clock.</summary>
    /// <remarks>
    /// <para>The change is refused when the claim is lost: the run was released, was claimed again, or is no longer RUNNING. Of two changes that race, one is
    /// applied. The other is refused, and returns the run that the first one committed. It relies on the run's row lock, which the one statement takes
    /// first.</para>
    /// <para>A refusal is not thrown, and a missing run is not either. Check <see cref="Transition{T}.Outcome"/>, or call
    /// <see cref="Transition{T}.EnsureApplied"/>.</para>
    /// </remarks>
    /// <param name="claim">The caller's claim.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the run. The run is null when it does not exist.</returns>
    /// <example>
    /// <code>
    /// await writer.FlushAsync(claim.Run.Id); // followers stop when the run has ended
    /// (await queue.CompleteAsync(claim)).EnsureApplied();
    /// </code>
    /// </example>
    public Task<Transition<CrawlRun>> CompleteAsync(
        CrawlRunClaim claim, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("complete", claim, CrawlStatus.Completed, null, transaction, cancellationToken);

    /// <summary>Fails a run: RUNNING → FAILED. It stores the reason, and sets <c>completed_at</c> to the time of the database's clock.</summary>
    /// <inheritdoc cref="CompleteAsync" path="/remarks"/>
    /// <param name="claim">The caller's claim.</param>
    /// <param name="errorMessage">The reason. Pass text from a crawled page through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the run. The run is null when it does not exist.</returns>
    /// <exception cref="InvalidValueException">The message holds U+0000 or a lone surrogate.</exception>
    public Task<Transition<CrawlRun>> FailAsync(
        CrawlRunClaim claim, string errorMessage, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        CrawledText.Require(errorMessage, "error_message");
        return TransitionAsync("fail", claim, CrawlStatus.Failed, errorMessage, transaction, cancellationToken);
    }

    /// <summary>Cancels a run: RUNNING → CANCELLED. It sets <c>cancelled_at</c> to the time of the database's clock.</summary>
    /// <inheritdoc cref="CompleteAsync" path="/remarks"/>
    /// <param name="claim">The caller's claim.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the run. The run is null when it does not exist.</returns>
    public Task<Transition<CrawlRun>> CancelAsync(
        CrawlRunClaim claim, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("cancel", claim, CrawlStatus.Cancelled, null, transaction, cancellationToken);

    /// <summary>Hands a run back, for another worker to claim: RUNNING → PENDING. It clears <c>started_at</c>, and the claim is lost.</summary>
    /// <remarks>
    /// <para>Call it when the process stops, after a flush. The run's events stay, and the next worker's follow them. The run keeps its place in the queue,
    /// which is ordered by time of creation.</para>
    /// <para>The change is refused when the claim is lost already. Check <see cref="Transition{T}.Outcome"/>, or call
    /// <see cref="Transition{T}.EnsureApplied"/>.</para>
    /// </remarks>
    /// <param name="claim">The caller's claim.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the run. The run is null when it does not exist.</returns>
    public Task<Transition<CrawlRun>> ReleaseAsync(
        CrawlRunClaim claim, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("release", claim, CrawlStatus.Pending, null, transaction, cancellationToken);

    private async Task<CrawlRunClaim?> ClaimAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var distribution = await CrawlDistribution.OfAsync(dataSource, connection, transaction, cancellationToken).ConfigureAwait(false);
        var claims = await telemetry.RunAsync(
            "claim",
            0,
            () => distribution.IsByCrawl ? ClaimByCrawlAsync() : ClaimAsync(ClaimNextSql, null)).ConfigureAwait(false);
        telemetry.Claimed(claims.Count > 0);
        if (claims is not [var claim])
        {
            return null;
        }

        Log.RunClaimed(log, claim.Run.Id, claim.Number, claim.Attempt);
        return claim;

        Task<List<CrawlRunClaim>> ClaimAsync(string sql, Parameters? parameters) => connection.QueryAsync(
            sql,
            parameters,
            row => new CrawlRunClaim(CrawlRunRepository.Map(row), row.GetInt32(row.FieldCount - 2), row.GetInt32(row.FieldCount - 1)),
            transaction,
            cancellationToken);

        async Task<List<CrawlRunClaim>> ClaimByCrawlAsync()
        {
            var tried = new List<Guid>();
            while (true)
            {
                var pending = await connection.QueryAsync(
                    ListPendingByCrawlSql, ToIds(tried), row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false);
                foreach (var id in pending)
                {
                    if (await ClaimAsync(ClaimByCrawlSql, new Parameters { { "id", NpgsqlDbType.Uuid, id } }).ConfigureAwait(false) is [_] claimed)
                    {
                        return claimed;
                    }
                }

                if (pending.Count == 0)
                {
                    return [];
                }

                tried.AddRange(pending);
            }
        }
    }

    private Task<Transition<CrawlRun>> TransitionAsync(
        string name, CrawlRunClaim claim, CrawlStatus to, string? errorMessage, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        var parameters = new Parameters
        {
            { "id", NpgsqlDbType.Uuid, claim.Run.Id },
            { "claim", NpgsqlDbType.Integer, claim.Number },
            { "to", NpgsqlDbType.Text, to.ToLabel() },
            { "error_message", NpgsqlDbType.Text, errorMessage },
            { "notify", NpgsqlDbType.Boolean, notify && to == CrawlStatus.Pending },
        };
        return dataSource.RunTransitionAsync(
            new TransitionRule(CrawlRunRepository.Table, name, CrawlStatus.Running.ToLabel()),
            claim.Run.Id,
            TransitionSql,
            parameters,
            CrawlRunRepository.Map,
            (run, row) => $"{run.Status.ToLabel()} at claim {row.GetNullable<int>(row.FieldCount - 2)}",
            transaction,
            cancellationToken);
    }
}

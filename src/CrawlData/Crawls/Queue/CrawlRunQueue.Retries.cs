using System.Data.Common;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

public sealed partial class CrawlRunQueue
{
    private const string RetriesTable = "crawl_run_retries";

    // All calls take the lock. So the next statement's snapshot has a retry that another call has committed.
    internal const string RetryLockSql = "select id from crawl_runs where id = @id for no key update";

    // At REPEATABLE READ the snapshot may be older than such a retry. Then "on conflict" gives the error for it. Citus checks the reference to the new run
    // before the whole statement ends, so that run is inserted first.
    internal const string RetrySql =
        $"""
        with standing as materialized (
            select * from crawl_runs where id = @id
        ), allowed as materialized (
            select standing.*, coalesce(own.attempt, 1) + 1 as attempt
            from standing left join crawl_run_retries as own on own.run_id = standing.id
            where standing.status::text in ('FAILED', 'CANCELLED') and coalesce(own.attempt, 1) < @max_attempts
              and not exists (select from crawl_run_retries where retry_of = @id)
        ), inserted as (
            insert into crawl_runs (id, app_package, device_config, max_steps, goal, created_at)
            select @retry_id, app_package, device_config, max_steps, goal, pg_catalog.clock_timestamp() at time zone 'utc'
            from allowed
            returning id
        ), retry as (
            insert into crawl_run_retries (run_id, retry_of, attempt, not_before)
            select inserted.id, allowed.id, allowed.attempt, pg_catalog.clock_timestamp() + @delay
            from inserted cross join allowed
            on conflict (retry_of) do nothing
        )
        select exists (select from inserted) from standing;
        {WorkQueue.NotifyRuns}
        """;

    internal const string AttemptSql =
        """
        select crawl_runs.id, coalesce(own.attempt, 1), own.retry_of, next.run_id, own.not_before, status::text
        from crawl_runs
        left join crawl_run_retries as own on own.run_id = crawl_runs.id
        left join crawl_run_retries as next on next.retry_of = crawl_runs.id
        where crawl_runs.id = @id
        """;

    /// <summary>Retries a run that is FAILED or CANCELLED: inserts a PENDING run with its app, device, steps and goal. The old run and its events stay as they
    /// are.</summary>
    /// <remarks>
    /// <para>A run is retried once: of two calls that race, the second is refused, and returns which run retries it. Then that run may be retried. It relies on
    /// the run's row lock, and on a unique index. When the retry is deleted, the run can be retried again.</para>
    /// <para>A refusal is not thrown, and a missing run is not either. Check <see cref="Transition{T}.Outcome"/>, or call
    /// <see cref="Transition{T}.EnsureApplied"/>.</para>
    /// </remarks>
    /// <param name="id">The run.</param>
    /// <param name="delay">How long no claim takes the new run, by the database's clock. From 0 to 36,500 days; no delay when null.</param>
    /// <param name="maxAttempts">The most attempts, 1 or more; any number when null. The call is refused when the run has that many behind it, itself
    /// included.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    /// <returns>The outcome. When it is applied: the new run's attempt, whose <see cref="CrawlRunAttempt.RetryOf"/> is the old run. When it is refused: the old
    /// run's attempt, whose <see cref="CrawlRunAttempt.RetriedBy"/> is the run that retries it, if one does. Null when there is no such run.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The delay or the number is out of range.</exception>
    /// <example>
    /// <code>
    /// var retry = await queue.RetryAsync(run.Id, delay: TimeSpan.FromMinutes(1), maxAttempts: 3);
    /// Console.WriteLine($"{retry.Outcome}: attempt {retry.Row!.Number} is the run {retry.Row.RunId}");
    /// </code>
    /// </example>
    public async Task<Transition<CrawlRunAttempt>> RetryAsync(
        Guid id, TimeSpan? delay = null, int? maxAttempts = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(delay ?? TimeSpan.Zero, TimeSpan.Zero, ArgumentRange.LongestDuration, nameof(delay));
        ArgumentRange.RequireAtLeastOne(maxAttempts ?? 1, nameof(maxAttempts));
        Connections.ThrowIfAmbient(transaction);
        var rule = new TransitionRule(CrawlRunRepository.Table, "retry", CrawlStatus.Failed.ToLabel(), CrawlStatus.Cancelled.ToLabel());
        var retry = await telemetry.RunAsync("retry", 0, () => dataSource.UseAsync(
            transaction,
            connection => transaction is null
                ? connection.InTransactionAsync(own => RunAsync(connection, own), cancellationToken)
                : RunAsync(connection, transaction),
            cancellationToken)).ConfigureAwait(false);
        if (retry is { Outcome: TransitionOutcome.Applied, Row: { } attempt })
        {
            Log.RunRetried(log, id, attempt.RunId, attempt.Number);
        }

        return retry;

        async Task<Transition<CrawlRunAttempt>> RunAsync(NpgsqlConnection connection, NpgsqlTransaction inTransaction)
        {
            var retryId = Uuid7.New();
            var parameters = new Parameters
            {
                { "id", NpgsqlDbType.Uuid, id },
                { "retry_id", NpgsqlDbType.Uuid, retryId },
                { "delay", NpgsqlDbType.Interval, delay },
                { "notify", NpgsqlDbType.Boolean, notify && (delay ?? TimeSpan.Zero) == TimeSpan.Zero },
                { "max_attempts", NpgsqlDbType.Integer, maxAttempts ?? int.MaxValue },
            };
            await connection.ExecuteAsync(
                RetryLockSql, new Parameters { { "id", NpgsqlDbType.Uuid, id } }, inTransaction, cancellationToken).ConfigureAwait(false);
            var inserted = await connection.QueryAsync(RetrySql, parameters, row => row.GetBoolean(0), inTransaction, cancellationToken).ConfigureAwait(false);
            if (inserted is not [var isApplied])
            {
                return new Transition<CrawlRunAttempt>(rule, id, TransitionOutcome.NotFound);
            }

            parameters = new Parameters { { "id", NpgsqlDbType.Uuid, isApplied ? retryId : id } };
            var (attempt, status) = await connection.QuerySingleAsync(
                AttemptSql, parameters, row => (MapAttempt(row), row.GetString(5)), inTransaction, cancellationToken).ConfigureAwait(false);
            var state = $"{status} at attempt {attempt.Number}" + (attempt.RetriedBy is { } by ? $", and crawl {by} retries it" : "");
            return new Transition<CrawlRunAttempt>(rule, id, isApplied ? TransitionOutcome.Applied : TransitionOutcome.Refused, attempt, state);
        }
    }

    /// <summary>Gets which run a run retries, which run retries it, and the number of its attempt.</summary>
    /// <param name="id">The run.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The attempt; null when there is no run with that id.</returns>
    /// <exception cref="UnreadableRowException">.NET cannot hold a time of the row.</exception>
    public Task<CrawlRunAttempt?> GetAttemptAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        dataSource.QuerySingleOrDefaultAsync(AttemptSql, new Parameters { { "id", NpgsqlDbType.Uuid, id } }, MapAttempt, transaction, cancellationToken);

    private static CrawlRunAttempt MapAttempt(DbDataReader row) => new()
    {
        RunId = row.GetGuid(0),
        Number = row.GetInt32(1),
        RetryOf = row.GetNullable<Guid?>(2),
        RetriedBy = row.GetNullable<Guid?>(3),
        NotBefore = row.GetNullableTime(RetriesTable, 4),
    };
}

using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

public class CrawlRunQueueRetryTests : CrawlRunQueueTest
{
    [Test]
    public async Task A_failed_run_is_retried_by_a_pending_run_with_its_app_device_steps_and_goal()
    {
        var old = await Runs.InsertAsync(
            new NewCrawlRun { AppPackage = "org.example.app", DeviceConfig = Jsonb.Parse("""{"sdk": 34}"""), MaxSteps = 7, Goal = "a goal" });
        await Runs.FailAsync(old.Id, "no route");

        var attempt = (await RunQueue.RetryAsync(old.Id)).EnsureApplied();
        var claim = (await RunQueue.ClaimNextAsync())!;

        Assert.That(attempt, Is.EqualTo(new CrawlRunAttempt { RunId = attempt.RunId, Number = 2, RetryOf = old.Id }));
        Assert.That(claim.Run, Is.EqualTo(old with
        {
            Id = attempt.RunId,
            Status = CrawlStatus.Running,
            CreatedAt = claim.Run.CreatedAt,
            StartedAt = claim.Run.StartedAt,
        }));
        Assert.That(claim.Run.CreatedAt, Is.GreaterThan(old.CreatedAt));
        Assert.That((claim.Number, claim.Attempt), Is.EqualTo((1, 2)));
        Assert.That(await RunQueue.GetAttemptAsync(attempt.RunId), Is.EqualTo(attempt));
        Assert.That(await RunQueue.GetAttemptAsync(old.Id), Is.EqualTo(new CrawlRunAttempt { RunId = old.Id, Number = 1, RetriedBy = attempt.RunId }));
        Assert.That(await StatusAsync(old.Id), Is.EqualTo(CrawlStatus.Failed));
    }

    [Test]
    public async Task Only_failed_and_cancelled_runs_are_retried()
    {
        foreach (var (status, outcome) in new[]
        {
            (CrawlStatus.Pending, TransitionOutcome.Refused), (CrawlStatus.Running, TransitionOutcome.Refused),
            (CrawlStatus.Completed, TransitionOutcome.Refused), (CrawlStatus.Failed, TransitionOutcome.Applied),
            (CrawlStatus.Cancelled, TransitionOutcome.Applied),
        })
        {
            var run = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = status });
            Assert.That((await RunQueue.RetryAsync(run.Id)).Outcome, Is.EqualTo(outcome), status.ToString());
        }

        var missing = await RunQueue.RetryAsync(Guid.NewGuid());
        Assert.That((missing.Outcome, missing.Row), Is.EqualTo((TransitionOutcome.NotFound, (CrawlRunAttempt?)null)));
        Assert.That(await RunQueue.GetAttemptAsync(Guid.NewGuid()), Is.Null);
    }

    [Test]
    public async Task A_second_retry_is_refused_and_tells_which_run_retries_it()
    {
        var old = await FailedRunAsync();
        var first = (await RunQueue.RetryAsync(old)).EnsureApplied();

        var second = await RunQueue.RetryAsync(old);

        Assert.That((second.Outcome, second.Row!.RetriedBy), Is.EqualTo((TransitionOutcome.Refused, first.RunId)));
        Assert.That(
            second.EnsureApplied,
            Throws.InstanceOf<TransitionRefusedException>().With.Message.EqualTo(
                $"Crawl {old} is FAILED at attempt 1, and crawl {first.RunId} retries it. The transition 'retry' is allowed for: FAILED, CANCELLED."));
    }

    /// <summary>Goes red without <c>on conflict</c>: the second retry waits for the run's lock, and its snapshot has no retry.</summary>
    [Test]
    public async Task Of_two_retries_that_race_one_is_applied()
    {
        var old = await FailedRunAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var first = (await RunQueue.RetryAsync(old, transaction: transaction)).EnsureApplied();

        var waiting = RunQueue.RetryAsync(old);
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await transaction.CommitAsync();
        var second = await waiting;

        Assert.That((second.Outcome, second.Row!.RetriedBy), Is.EqualTo((TransitionOutcome.Refused, first.RunId)));
        Assert.That((await Runs.CountByStatusAsync())[CrawlStatus.Pending], Is.EqualTo(1));
    }

    [Test]
    public async Task A_chain_of_retries_counts_its_attempts_and_ends_at_the_most()
    {
        var id = await FailedRunAsync();
        foreach (var number in new[] { 2, 3 })
        {
            var attempt = (await RunQueue.RetryAsync(id, maxAttempts: 3)).EnsureApplied();
            Assert.That((attempt.Number, attempt.RetryOf), Is.EqualTo((number, id)));
            await Runs.FailAsync(attempt.RunId, "no route");

            // A purge of the earlier runs changes nothing for the later ones.
            await Runs.DeleteAsync(id);
            Assert.That(await RunQueue.GetAttemptAsync(attempt.RunId), Is.EqualTo(attempt));
            id = attempt.RunId;
        }

        var refused = await RunQueue.RetryAsync(id, maxAttempts: 3);
        Assert.That((refused.Outcome, refused.Row!.RetriedBy), Is.EqualTo((TransitionOutcome.Refused, (Guid?)null)));
        Assert.That((await RunQueue.RetryAsync(id)).EnsureApplied().Number, Is.EqualTo(4));
    }

    [Test]
    public async Task A_run_whose_retry_was_deleted_can_be_retried_again()
    {
        var old = await FailedRunAsync();
        await Runs.DeleteAsync((await RunQueue.RetryAsync(old)).EnsureApplied().RunId);

        Assert.That((await RunQueue.RetryAsync(old)).EnsureApplied().Number, Is.EqualTo(2));
    }

    [Test]
    public async Task A_retry_is_claimed_after_its_delay_by_the_server_s_clock()
    {
        var attempt = (await RunQueue.RetryAsync(await FailedRunAsync(), delay: TimeSpan.FromHours(1))).EnsureApplied();
        var later = await CreateCrawlAsync();

        Assert.That((await RunQueue.ClaimNextAsync())!.Run.Id, Is.EqualTo(later), "the delayed run is older, and passed over");
        Assert.That(await RunQueue.ClaimNextAsync(), Is.Null);
        Assert.That(attempt.NotBefore, Is.EqualTo(DateTimeOffset.UtcNow.AddHours(1)).Within(TimeSpan.FromMinutes(5)));
        await ExecuteAsync("update crawl_run_retries set not_before = now() - interval '1 second'");

        Assert.That((await RunQueue.ClaimNextAsync())!.Run.Id, Is.EqualTo(attempt.RunId));
    }

    [Test]
    public async Task Failing_stale_runs_and_retrying_them_in_one_transaction_is_atomic([Values] bool commit)
    {
        var claim = await ClaimNewAsync();
        await SilenceAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        foreach (var run in await RunQueue.FailStaleAsync(Silence, transaction: transaction))
        {
            (await RunQueue.RetryAsync(run.Id, transaction: transaction)).EnsureApplied();
        }

        await (commit ? transaction.CommitAsync() : transaction.RollbackAsync());

        var counts = await Runs.CountByStatusAsync();
        Assert.That(
            (counts[CrawlStatus.Running], counts[CrawlStatus.Failed], counts[CrawlStatus.Pending]), Is.EqualTo(commit ? (0, 1, 1) : (1, 0, 0)));
        Assert.That(await RunQueue.HeartbeatAsync([claim]), commit ? Is.EqualTo(new[] { claim }) : Is.Empty);
    }

    [Test]
    public void Delays_and_numbers_out_of_range_are_refused() => Assert.Multiple(() =>
    {
        Assert.That(
            () => RunQueue.RetryAsync(Guid.Empty, TimeSpan.FromTicks(-1)),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("delay"));
        Assert.That(
            () => RunQueue.RetryAsync(Guid.Empty, maxAttempts: 0),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("maxAttempts"));
    });

    private async Task<Guid> FailedRunAsync()
    {
        var id = await CreateCrawlAsync();
        (await Runs.FailAsync(id, "no route")).EnsureApplied();
        return id;
    }
}

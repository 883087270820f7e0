using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

public class CrawlRunQueueClaimTests : CrawlRunQueueTest
{
    [Test]
    public async Task The_oldest_pending_run_is_claimed_and_runs()
    {
        var runs = await Runs.InsertAsync(
        [
            new NewCrawlRun { AppPackage = "org.example.second" },
            new NewCrawlRun { AppPackage = "org.example.third" },
            new NewCrawlRun { AppPackage = "org.example.first", CreatedAt = DateTimeOffset.UnixEpoch, Goal = "a goal" },
        ]);

        var claims = new[] { await RunQueue.ClaimNextAsync(), await RunQueue.ClaimNextAsync(), await RunQueue.ClaimNextAsync() };

        Assert.That(claims.Select(claim => claim!.Run.Id), Is.EqualTo(new[] { runs[2].Id, runs[0].Id, runs[1].Id }));
        var first = claims[0]!;
        Assert.That((first.Number, first.Attempt), Is.EqualTo((1, 1)));
        Assert.That(first.Run, Is.EqualTo(runs[2] with { Status = CrawlStatus.Running, StartedAt = first.Run.StartedAt }));
        Assert.That(await Runs.GetAsync(runs[2].Id), Is.EqualTo(first.Run));
        Assert.That(await RunQueue.ClaimNextAsync(), Is.Null);
    }

    [Test]
    public async Task Runs_that_cannot_be_read_and_claims_that_cannot_rise_are_passed_over_and_stop_no_claim()
    {
        var unreadable = await CreateCrawlAsync();
        var exhausted = await CreateCrawlAsync();
        var next = await CreateCrawlAsync();
        await ExecuteAsync("update crawl_runs set created_at = '-infinity' where id = @unreadable", new { unreadable });
        await ExecuteAsync(
            "insert into crawl_run_claims (run_id, claim, heartbeat_at) values (@exhausted, 2147483646, now())", new { exhausted });

        Assert.That((await RunQueue.ClaimNextAsync())?.Run.Id, Is.EqualTo(next));
        Assert.That(await RunQueue.ClaimNextAsync(), Is.Null);
    }

    [Test]
    public async Task A_claim_with_the_greatest_number_can_be_released()
    {
        var id = await CreateCrawlAsync();
        await ExecuteAsync("insert into crawl_run_claims (run_id, claim, heartbeat_at) values (@id, 2147483645, now())", new { id });
        var claim = (await RunQueue.ClaimNextAsync())!;

        Assert.That(claim.Number, Is.EqualTo(2_147_483_646));
        Assert.That((await RunQueue.ReleaseAsync(claim)).EnsureApplied().Status, Is.EqualTo(CrawlStatus.Pending));
        Assert.That(await RunQueue.ClaimNextAsync(), Is.Null);
    }

    [Test]
    public async Task A_claim_never_blocks_and_skips_runs_that_are_being_claimed()
    {
        var (first, second) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        var mine = await RunQueue.ClaimNextAsync(transaction);
        var others = await RunQueue.ClaimNextAsync();
        var none = await RunQueue.ClaimNextAsync();
        await transaction.RollbackAsync();
        var again = await RunQueue.ClaimNextAsync();

        Assert.That((mine!.Run.Id, others!.Run.Id, none, again!.Run.Id), Is.EqualTo((first, second, (CrawlRunClaim?)null, first)));
        Assert.That(again.Number, Is.EqualTo(1));
    }

    [Test]
    public async Task Concurrent_claims_get_different_runs()
    {
        await Runs.InsertAsync(Enumerable.Range(0, 40).Select(number => new NewCrawlRun { AppPackage = $"org.example.app{number}" }));

        var claimed = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            var claims = new List<CrawlRunClaim>();
            while (await RunQueue.ClaimNextAsync() is { } claim)
            {
                claims.Add(claim);
            }

            return claims;
        })));

        var ids = claimed.SelectMany(claims => claims).Select(claim => claim.Run.Id).ToList();
        Assert.That(ids, Is.Unique.And.Count.EqualTo(40));
    }

    [Test]
    public async Task A_worker_ends_its_run_by_its_claim()
    {
        var completed = await RunQueue.CompleteAsync(await ClaimNewAsync());
        var failed = await RunQueue.FailAsync(await ClaimNewAsync(), "no route");
        var cancelled = await RunQueue.CancelAsync(await ClaimNewAsync());

        Assert.That(completed.EnsureApplied(), Has.Property("Status").EqualTo(CrawlStatus.Completed).And.Property("CompletedAt").Not.Null);
        Assert.That(
            failed.EnsureApplied(),
            Has.Property("Status").EqualTo(CrawlStatus.Failed).And.Property("CompletedAt").Not.Null.And.Property("ErrorMessage").EqualTo("no route"));
        Assert.That(
            cancelled.EnsureApplied(),
            Has.Property("Status").EqualTo(CrawlStatus.Cancelled).And.Property("CancelledAt").Not.Null.And.Property("CompletedAt").Null);
    }

    [Test]
    public async Task A_released_run_is_claimed_again_with_a_greater_number_and_the_old_worker_is_refused()
    {
        var old = await ClaimNewAsync();
        var released = (await RunQueue.ReleaseAsync(old)).EnsureApplied();
        Assert.That((released.Status, released.StartedAt), Is.EqualTo((CrawlStatus.Pending, (DateTimeOffset?)null)));
        await AssertRefusedAsync(old, released);

        var successor = (await RunQueue.ClaimNextAsync())!;

        Assert.That((successor.Run.Id, successor.Attempt), Is.EqualTo((old.Run.Id, 1)));
        Assert.That(successor.Number, Is.GreaterThan(old.Number));
        await AssertRefusedAsync(old, successor.Run);
        Assert.That(await RunQueue.HeartbeatAsync([successor, old]), Is.EqualTo(new[] { old }));
        (await RunQueue.CompleteAsync(successor)).EnsureApplied();
    }

    /// <summary>Goes red when a release leaves the claim's number as it is: the old worker would be at the run's number.</summary>
    [Test]
    public async Task A_released_run_that_is_started_without_a_claim_refuses_the_old_worker()
    {
        var old = await ClaimNewAsync();
        await RunQueue.ReleaseAsync(old);
        var started = (await Runs.StartAsync(old.Run.Id)).EnsureApplied();

        await AssertRefusedAsync(old, started);
    }

    [Test]
    public async Task A_run_that_an_operator_ended_refuses_the_worker_and_says_why()
    {
        var claim = await ClaimNewAsync();
        var cancelled = (await Runs.CancelAsync(claim.Run.Id)).EnsureApplied();

        await AssertRefusedAsync(claim, cancelled);
        var refused = await RunQueue.CompleteAsync(claim);
        Assert.That(
            refused.EnsureApplied,
            Throws.InstanceOf<TransitionRefusedException>().With.Message.EqualTo(
                $"Crawl {claim.Run.Id} is CANCELLED at claim 1. The transition 'complete' is allowed for: RUNNING."));
        await Runs.DeleteAsync(claim.Run.Id);
        Assert.That((await RunQueue.CompleteAsync(claim)).Outcome, Is.EqualTo(TransitionOutcome.NotFound));
        Assert.That(await RunQueue.HeartbeatAsync([claim]), Is.EqualTo(new[] { claim }));
    }

    /// <summary>Goes red without the lock of the claim's row: the change waits for the run's lock, and its snapshot has the old number.</summary>
    [Test]
    public async Task A_change_that_waits_while_the_run_is_claimed_again_is_refused()
    {
        var old = await ClaimNewAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await RunQueue.ReleaseAsync(old, transaction);
        var successor = (await RunQueue.ClaimNextAsync(transaction))!;

        var waiting = RunQueue.CompleteAsync(old);
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await transaction.CommitAsync();
        var refused = await waiting;

        Assert.That((refused.Outcome, refused.Row), Is.EqualTo((TransitionOutcome.Refused, successor.Run)));
    }

    [Test]
    public async Task A_heartbeat_tells_which_claims_are_lost_and_waits_for_no_append()
    {
        var (alive, completed, writing) = (await ClaimNewAsync(), await ClaimNewAsync(), await ClaimNewAsync());
        await RunQueue.CompleteAsync(completed);
        await SilenceAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(writing, Event(1), transaction);

        var lost = await RunQueue.HeartbeatAsync([alive, completed, writing, alive]);

        Assert.That(lost, Is.EqualTo(new[] { completed }));
        Assert.That(await RunQueue.HeartbeatAsync([]), Is.Empty);
        await transaction.RollbackAsync();
        Assert.That(
            await QueryAsync<Guid>("select run_id from crawl_run_claims where heartbeat_at > now() - interval '1 minute'"), Is.EqualTo(new[] { alive.Run.Id }));
    }

    private async Task AssertRefusedAsync(CrawlRunClaim old, CrawlRun standing)
    {
        foreach (var change in new[]
        {
            await RunQueue.CompleteAsync(old),
            await RunQueue.FailAsync(old, "slow"),
            await RunQueue.CancelAsync(old),
            await RunQueue.ReleaseAsync(old),
        })
        {
            Assert.That((change.Outcome, change.Row), Is.EqualTo((TransitionOutcome.Refused, standing)));
        }
    }
}

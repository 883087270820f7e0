using CrawlData.Audits;

namespace CrawlData.Tests.Audits;

/// <summary>Releases, delayed retries and heartbeats.</summary>
public sealed class AuditSessionQueueHandBackTests : EmptiedDatabaseTest
{
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(5);

    [Test]
    public async Task A_released_session_is_queued_at_once_and_its_attempt_does_not_count()
    {
        var session = await ClaimNewAsync();

        var released = (await Queue.ReleaseAsync(session.Id, session.Attempts)).EnsureApplied();

        Assert.That(released, Is.EqualTo(session with { Status = AuditSessionStatus.Queued }));
        var second = (await Queue.ClaimNextAsync())!;
        Assert.That(second.Attempts, Is.EqualTo(2));
        var retried = (await Queue.RetryAsync(second.Id, second.Attempts, "no route", TimeSpan.Zero, maxAttempts: 2)).EnsureApplied();
        Assert.That((retried.Status, retried.ErrorSummary), Is.EqualTo((AuditSessionStatus.Queued, "no route")), "one of two attempts counts");
        var third = (await Queue.ClaimNextAsync())!;
        var failed = (await Queue.RetryAsync(third.Id, third.Attempts, "no route", TimeSpan.Zero, maxAttempts: 2)).EnsureApplied();
        Assert.That(failed.Status, Is.EqualTo(AuditSessionStatus.Failed));
    }

    [Test]
    public async Task A_rescue_does_not_count_released_attempts()
    {
        var session = await ClaimNewAsync();
        await Queue.ReleaseAsync(session.Id, session.Attempts);
        await Queue.ClaimNextAsync();
        await SilenceAsync();

        Assert.That((await Queue.RescueStaleAsync(Silence, maxAttempts: 2)).Single().Status, Is.EqualTo(AuditSessionStatus.Queued));

        await Queue.ClaimNextAsync();
        await SilenceAsync();
        Assert.That((await Queue.RescueStaleAsync(Silence, maxAttempts: 2)).Single().Status, Is.EqualTo(AuditSessionStatus.Failed));
    }

    [Test]
    public async Task A_delayed_retry_is_claimed_when_its_delay_has_passed()
    {
        var session = await ClaimNewAsync();
        var younger = await EnqueueAsync("https://example.org/younger");

        (await Queue.RetryAsync(session.Id, session.Attempts, "no route", TimeSpan.FromHours(1), maxAttempts: 3)).EnsureApplied();

        Assert.That((await Queue.ClaimNextAsync())!.Id, Is.EqualTo(younger));
        Assert.That(await Queue.ClaimNextAsync(), Is.Null);
        await ExecuteAsync("update audit_session_claims set not_before = not_before - interval '1 hour'");
        Assert.That((await Queue.ClaimNextAsync())!.Id, Is.EqualTo(session.Id));
    }

    [Test]
    public async Task Another_attempt_cannot_hand_a_session_back()
    {
        var session = await ClaimNewAsync();

        var released = await Queue.ReleaseAsync(session.Id, session.Attempts + 1);
        var retried = await Queue.RetryAsync(session.Id, session.Attempts - 1, "no route", TimeSpan.Zero, maxAttempts: 3);
        var unknown = await Queue.ReleaseAsync(Guid.CreateVersion7(), 1);

        Assert.That(
            new[] { released.Outcome, retried.Outcome, unknown.Outcome },
            Is.EqualTo(new[] { TransitionOutcome.Refused, TransitionOutcome.Refused, TransitionOutcome.NotFound }));
        Assert.That((await Sessions.GetAsync(session.Id))!, Is.EqualTo(session));
    }

    [Test]
    public async Task A_heartbeat_keeps_a_silent_session_and_reports_lost_ones()
    {
        var (alive, dead) = (await ClaimNewAsync(), await ClaimNewAsync());
        await SilenceAsync();

        var lost = await Queue.HeartbeatAsync(
            [(alive.Id, alive.Attempts), (dead.Id, dead.Attempts + 1), (Guid.Empty, 1)]);

        Assert.That(lost, Is.EqualTo(new[] { dead.Id, Guid.Empty }));
        Assert.That((await Queue.ListStaleAsync(Silence)).Select(session => session.Id), Is.EqualTo(new[] { dead.Id }));
        Assert.That((await Queue.RescueStaleAsync(Silence, maxAttempts: 3)).Select(session => session.Id), Is.EqualTo(new[] { dead.Id }));
        Assert.That(await Queue.HeartbeatAsync([]), Is.Empty);
    }

    [Test]
    public async Task A_released_session_loses_its_heartbeat_with_the_row()
    {
        var session = await ClaimNewAsync();
        await Queue.HeartbeatAsync([(session.Id, session.Attempts)]);

        Assert.That(await Sessions.DeleteAsync(session.Id), Is.True);

        Assert.That(await Queue.HeartbeatAsync([(session.Id, session.Attempts)]), Is.EqualTo(new[] { session.Id }));
        Assert.That(await QueryAsync<Guid>("select session_id from audit_session_claims"), Is.Empty);
    }

    private async Task<AuditSession> ClaimNewAsync()
    {
        var id = await EnqueueAsync();
        return (await Queue.StartAsync(id)).EnsureApplied();
    }

    private Task SilenceAsync() => ExecuteAsync(
        """
        delete from crawl_log_marks;
        insert into crawl_log_marks (marked_at, log_id) select clock_timestamp() - @ago, max(id) from crawl_logs
        """,
        new { ago = 2 * Silence });
}

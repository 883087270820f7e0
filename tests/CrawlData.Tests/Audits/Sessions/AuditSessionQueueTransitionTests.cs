using System.Data;
using CrawlData.Audits;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Tests.Audits;

public sealed class AuditSessionQueueTransitionTests : DatabaseTest
{
    private static readonly (AuditSessionStatus From, AuditSessionStatus To)[] Allowed =
    [
        (AuditSessionStatus.Queued, AuditSessionStatus.Running),
        (AuditSessionStatus.Running, AuditSessionStatus.Completed),
        (AuditSessionStatus.Running, AuditSessionStatus.Partial),
        (AuditSessionStatus.Running, AuditSessionStatus.Failed),
        (AuditSessionStatus.Failed, AuditSessionStatus.Queued),
        (AuditSessionStatus.Partial, AuditSessionStatus.Queued),
    ];

    private static readonly AuditSessionStatus[] Ends = [AuditSessionStatus.Completed, AuditSessionStatus.Partial, AuditSessionStatus.Failed];

    private static IEnumerable<TestCaseData> Every() =>
        from start in Enum.GetValues<AuditSessionStatus>()
        from end in Enum.GetValues<AuditSessionStatus>()
        select new TestCaseData(start, end, Allowed.Contains((start, end)));

    [TestCaseSource(nameof(Every))]
    public async Task A_session_makes_only_allowed_transitions(AuditSessionStatus from, AuditSessionStatus to, bool allowed)
    {
        var before = await InsertAsync(from);
        var after = before with
        {
            Status = to,
            Attempts = to == AuditSessionStatus.Running ? 3 : 2,
            ErrorSummary = to switch
            {
                AuditSessionStatus.Completed => null,
                AuditSessionStatus.Partial or AuditSessionStatus.Failed => "attempt 2: '; --",
                _ => before.ErrorSummary,
            },
        };

        var transition = await MoveAsync(before.Id, to, 2);

        Assert.That((transition.Outcome, transition.Row), Is.EqualTo(allowed ? (TransitionOutcome.Applied, after) : (TransitionOutcome.Refused, before)));
        Assert.That(await Sessions.GetAsync(before.Id), Is.EqualTo(transition.Row));
        Assert.That((await Logs.ListAsync(before.Id)).Items, Has.Count.EqualTo(allowed && to == AuditSessionStatus.Running ? 1 : 0), "an attempt's first line");
    }

    [Test]
    public async Task Only_the_current_attempt_can_end_a_session([ValueSource(nameof(Ends))] AuditSessionStatus to, [Values(1, 3)] int attempt)
    {
        var before = await InsertAsync(AuditSessionStatus.Running);

        var transition = await MoveAsync(before.Id, to, attempt);

        Assert.That((transition.Outcome, transition.Row), Is.EqualTo((TransitionOutcome.Refused, before)));
        Assert.That(await Sessions.GetAsync(before.Id), Is.EqualTo(before));
    }

    [Test]
    public async Task A_transition_of_an_unknown_session_is_not_found([Values] AuditSessionStatus to, [Values] bool record)
    {
        var unknown = Guid.CreateVersion7();

        var transition = record ? await Queue.RecordFindingsAsync(unknown, 1, new AuditFindings { LowConfidence = true }) : await MoveAsync(unknown, to, 1);

        Assert.That((transition.Id, transition.Outcome, transition.Row), Is.EqualTo((unknown, TransitionOutcome.NotFound, (AuditSession?)null)));
        Assert.That(transition.EnsureApplied, Throws.InstanceOf<RowNotFoundException>().With.Message.EqualTo($"There is no session {unknown}."));
    }

    [Test]
    public async Task EnsureApplied_throws_for_a_refused_transition()
    {
        var id = await EnqueueAsync();

        Assert.That((await Queue.StartAsync(id)).EnsureApplied().Status, Is.EqualTo(AuditSessionStatus.Running));
        Assert.That(
            (await Queue.CompleteAsync(id, 2)).EnsureApplied,
            Throws.InstanceOf<TransitionRefusedException>()
                .With.Message.EqualTo($"Session {id} is running at attempt 1. The transition 'complete' is allowed for: running."));
    }

    [Test]
    public async Task An_error_summary_stays_until_an_attempt_succeeds()
    {
        var id = await EnqueueAsync();
        var summaries = new List<string?>();

        foreach (var (to, attempt) in new[]
        {
            (AuditSessionStatus.Running, 1), (AuditSessionStatus.Failed, 1), (AuditSessionStatus.Queued, 1),
            (AuditSessionStatus.Running, 2), (AuditSessionStatus.Partial, 2), (AuditSessionStatus.Queued, 2),
            (AuditSessionStatus.Running, 3), (AuditSessionStatus.Completed, 3),
        })
        {
            summaries.Add((await MoveAsync(id, to, attempt)).EnsureApplied().ErrorSummary);
        }

        var (first, second) = ("attempt 1: '; --", "attempt 2: '; --");
        Assert.That(summaries, Is.EqualTo(new[] { null, first, first, first, second, second, second, null }));
    }

    [Test]
    public void An_invalid_error_summary_is_refused_before_anything_is_sent([Values] bool partly)
    {
        foreach (var summary in new[] { "a\0b", "\ud83d" })
        {
            Assert.That(
                () => partly ? Queue.CompletePartiallyAsync(Guid.Empty, 1, summary) : Queue.FailAsync(Guid.Empty, 1, summary),
                Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("error_summary"));
        }
    }

    /// <summary>The queue's head is older than the sessions of the other cases, and no other case claims.</summary>
    [Test]
    public async Task A_requeued_session_keeps_its_place_in_the_queue()
    {
        var longAgo = Enumerable.Range(0, 3).Select(number => Session() with { CreatedAt = DateTimeOffset.UnixEpoch.AddDays(number) });
        var sessions = await Sessions.InsertAsync(longAgo);
        var (first, second, third) = (sessions[0].Id, sessions[1].Id, sessions[2].Id);

        Assert.That((await Queue.ClaimNextAsync())!.Id, Is.EqualTo(first));
        Assert.That((await Queue.ClaimNextAsync())!.Id, Is.EqualTo(second));
        await Queue.FailAsync(second, 1, "no route");
        await Queue.RequeueAsync(second);
        await Queue.CompletePartiallyAsync(first, 1, "no product page");
        await Queue.RequeueAsync(first);

        var claimed = new[] { await Queue.ClaimNextAsync(), await Queue.ClaimNextAsync(), await Queue.ClaimNextAsync() };
        Assert.That(claimed.Select(session => (session!.Id, session.Attempts)), Is.EqualTo(new[] { (first, 2), (second, 2), (third, 1) }));
    }

    [Test]
    public async Task One_of_many_concurrent_transitions_wins_and_the_others_return_its_row([Values] bool toStart)
    {
        for (var round = 0; round < 10; round++)
        {
            var id = (await InsertAsync(toStart ? AuditSessionStatus.Queued : AuditSessionStatus.Running)).Id;

            var transitions = await Task.WhenAll(Enumerable.Range(0, 8).Select(racer => Task.Run(
                () => MoveAsync(id, toStart ? AuditSessionStatus.Running : Ends[racer % 3], 2))));

            var winner = transitions.Single(transition => transition.Outcome == TransitionOutcome.Applied).Row;
            Assert.That(transitions.Select(transition => transition.Row), Is.All.EqualTo(winner));
            Assert.That(await Sessions.GetAsync(id), Is.EqualTo(winner));
        }
    }

    /// <summary>Goes red when the row is read in the statement's own snapshot: the loser then reports a session that is still running.</summary>
    [Test]
    public async Task A_losing_transition_waits_for_the_winner_and_returns_its_row()
    {
        var id = (await InsertAsync(AuditSessionStatus.Running)).Id;
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var winner = await Queue.FailAsync(id, 2, "first", transaction);

        var losing = Queue.CompleteAsync(id, 2);
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await transaction.CommitAsync();

        var loser = await losing;
        Assert.That((loser.Outcome, loser.Row), Is.EqualTo((TransitionOutcome.Refused, winner.EnsureApplied())));
    }

    [Test]
    public async Task A_losing_transition_under_snapshot_isolation_gets_the_server_s_error()
    {
        var id = (await InsertAsync(AuditSessionStatus.Running)).Id;
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        await Sessions.GetAsync(id, transaction);
        await Queue.CompleteAsync(id, 2);

        await Assert.ThatAsync(
            () => Queue.FailAsync(id, 2, "late", transaction), Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo("40001"));
    }

    private Task<Transition<AuditSession>> MoveAsync(Guid id, AuditSessionStatus to, int attempt) => to switch
    {
        AuditSessionStatus.Queued => Queue.RequeueAsync(id),
        AuditSessionStatus.Running => Queue.StartAsync(id),
        AuditSessionStatus.Completed => Queue.CompleteAsync(id, attempt),
        AuditSessionStatus.Partial => Queue.CompletePartiallyAsync(id, attempt, $"attempt {attempt}: '; --"),
        AuditSessionStatus.Failed => Queue.FailAsync(id, attempt, $"attempt {attempt}: '; --"),
        _ => throw new ArgumentOutOfRangeException(nameof(to)),
    };

    /// <summary>Inserts a session that has had two attempts.</summary>
    private async Task<AuditSession> InsertAsync(AuditSessionStatus status) => (await Sessions.InsertAsync(
        [
            (new AuditSession
            {
                Id = Guid.CreateVersion7(),
                Url = "https://example.org/",
                Status = status,
                CreatedAt = default,
                FinalUrl = "https://example.org/home",
                Mode = AuditMode.Debug,
                RetentionPolicy = RetentionPolicy.Long,
                Attempts = 2,
                ErrorSummary = "attempt 1 found no route",
                CrawlPolicyVersion = "2026.11",
                ConfigSnapshot = Jsonb.Parse("{}"),
                LowConfidence = true,
                PdpUrl = "https://example.org/p",
            }, Instant.From(new DateTimeOffset(2026, 10, 25, 0, 30, 0, TimeSpan.Zero))),
        ],
        AuditSessionRepository.Map,
        session => session.Id,
        null,
        CancellationToken.None))[0];
}

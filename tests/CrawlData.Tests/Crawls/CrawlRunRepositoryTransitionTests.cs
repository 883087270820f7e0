using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

public class CrawlRunRepositoryTransitionTests : DatabaseTest
{
    private static readonly (CrawlStatus From, CrawlStatus To)[] Allowed =
    [
        (CrawlStatus.Pending, CrawlStatus.Running),
        (CrawlStatus.Pending, CrawlStatus.Failed),
        (CrawlStatus.Pending, CrawlStatus.Cancelled),
        (CrawlStatus.Running, CrawlStatus.Completed),
        (CrawlStatus.Running, CrawlStatus.Failed),
        (CrawlStatus.Running, CrawlStatus.Cancelled),
    ];

    private static IEnumerable<TestCaseData> Every() =>
        from start in Enum.GetValues<CrawlStatus>()
        from end in Enum.GetValues<CrawlStatus>()
        where end != CrawlStatus.Pending
        select new TestCaseData(start, end, Allowed.Contains((start, end)));

    [TestCaseSource(nameof(Every))]
    public async Task A_run_makes_only_allowed_transitions(CrawlStatus from, CrawlStatus to, bool allowed)
    {
        var before = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = from });

        var transition = await MoveAsync(before.Id, to);

        Assert.That(transition.Outcome, Is.EqualTo(allowed ? TransitionOutcome.Applied : TransitionOutcome.Refused));
        Assert.That(transition.Row, Is.EqualTo(await Runs.GetAsync(before.Id)));
        Assert.That(transition.Row!.Status, Is.EqualTo(allowed ? to : from));
        Assert.That(allowed || transition.Row == before);
    }

    [Test]
    public async Task Each_transition_stamps_its_time_with_the_database_s_clock()
    {
        var completed = await CreateCrawlAsync();
        var started = (await Runs.StartAsync(completed)).Row!;
        var ended = (await Runs.CompleteAsync(completed)).Row!;
        var cancelled = (await Runs.CancelAsync(await CreateCrawlAsync())).Row!;
        var failed = (await Runs.FailAsync(await CreateCrawlAsync(), "no device")).Row!;

        Assert.Multiple(() =>
        {
            Assert.That(started.StartedAt, Is.GreaterThanOrEqualTo(started.CreatedAt));
            Assert.That((started.CompletedAt, started.CancelledAt), Is.EqualTo(((DateTimeOffset?)null, (DateTimeOffset?)null)));
            Assert.That(ended.StartedAt, Is.EqualTo(started.StartedAt));
            Assert.That(ended.CompletedAt, Is.GreaterThanOrEqualTo(ended.StartedAt!));
            Assert.That(ended.CancelledAt, Is.Null);
            Assert.That(cancelled.CancelledAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
            Assert.That((cancelled.StartedAt, cancelled.CompletedAt), Is.EqualTo(((DateTimeOffset?)null, (DateTimeOffset?)null)));
            Assert.That(failed.CompletedAt, Is.Not.Null);
            Assert.That((failed.StartedAt, failed.ErrorMessage), Is.EqualTo(((DateTimeOffset?)null, "no device")));
        });
    }

    [Test]
    public async Task A_run_never_ends_before_it_starts_even_in_an_older_transaction()
    {
        var crawl = await CreateCrawlAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var begin = new Npgsql.NpgsqlCommand("select now()", connection, transaction);
        var began = (DateTime)(await begin.ExecuteScalarAsync())!;

        await Runs.StartAsync(crawl);
        var ended = (await Runs.CompleteAsync(crawl, transaction)).Row!;

        Assert.That(ended.StartedAt!.Value.UtcDateTime, Is.GreaterThan(began));
        Assert.That(ended.CompletedAt, Is.GreaterThanOrEqualTo(ended.StartedAt!));
    }

    [Test]
    public async Task A_transition_of_an_unknown_run_is_not_found()
    {
        var unknown = Guid.CreateVersion7();

        var transition = await Runs.StartAsync(unknown);

        Assert.That((transition.Id, transition.Outcome, transition.Row), Is.EqualTo((unknown, TransitionOutcome.NotFound, (CrawlRun?)null)));
        Assert.That(transition.EnsureApplied, Throws.InstanceOf<RowNotFoundException>());
    }

    [Test]
    public async Task EnsureApplied_throws_for_a_refused_transition()
    {
        var crawl = await CreateCrawlAsync();

        Assert.That(
            (await Runs.CompleteAsync(crawl)).EnsureApplied,
            Throws.InstanceOf<TransitionRefusedException>()
                .With.Message.EqualTo($"Crawl {crawl} is PENDING. The transition 'complete' is allowed for: RUNNING."));
        Assert.That((await Runs.StartAsync(crawl)).EnsureApplied().Status, Is.EqualTo(CrawlStatus.Running));
    }

    [Test]
    public async Task One_of_many_concurrent_transitions_wins_and_the_others_return_its_row()
    {
        for (var round = 0; round < 10; round++)
        {
            var crawl = await CreateCrawlAsync();
            await Runs.StartAsync(crawl);

            var transitions = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(racer => Task.Run(() => racer % 2 == 0 ? Runs.CompleteAsync(crawl) : Runs.FailAsync(crawl, $"racer {racer}"))));

            var winner = transitions.Single(transition => transition.Outcome == TransitionOutcome.Applied).Row;
            Assert.That(transitions.Select(transition => transition.Row), Is.All.EqualTo(winner));
            Assert.That(await Runs.GetAsync(crawl), Is.EqualTo(winner));
        }
    }

    /// <summary>Goes red when the row is read in the statement's own snapshot: the loser then reports a run that is still RUNNING.</summary>
    [Test]
    public async Task A_losing_transition_waits_for_the_winner_and_returns_its_row()
    {
        var crawl = await CreateCrawlAsync();
        await Runs.StartAsync(crawl);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var winner = await Runs.FailAsync(crawl, "first", transaction);

        var losing = Runs.CompleteAsync(crawl);
        await Wait.UntilBlockedByAsync(DataSource, connection);
        Assert.That(losing.IsCompleted, Is.False);
        await transaction.CommitAsync();

        var loser = await losing;
        Assert.That(loser.Outcome, Is.EqualTo(TransitionOutcome.Refused));
        Assert.That(loser.Row, Is.EqualTo(winner.Row));
    }

    [Test]
    public void An_invalid_error_message_is_refused_before_anything_is_sent() =>
        Assert.That(
            () => Runs.FailAsync(Guid.CreateVersion7(), "a\0b"), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("error_message"));

    private Task<Transition<CrawlRun>> MoveAsync(Guid crawl, CrawlStatus to) => to switch
    {
        CrawlStatus.Running => Runs.StartAsync(crawl),
        CrawlStatus.Completed => Runs.CompleteAsync(crawl),
        CrawlStatus.Failed => Runs.FailAsync(crawl, "it failed"),
        CrawlStatus.Cancelled => Runs.CancelAsync(crawl),
        _ => throw new ArgumentOutOfRangeException(nameof(to)),
    };
}

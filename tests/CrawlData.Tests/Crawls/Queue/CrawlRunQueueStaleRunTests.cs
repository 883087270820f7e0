using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

public class CrawlRunQueueStaleRunTests : CrawlRunQueueTest
{
    [Test]
    public async Task Only_running_runs_without_a_recent_sign_of_life_are_stale()
    {
        var pending = await CreateCrawlAsync();
        var unclaimed = await CreateCrawlAsync();
        await Runs.StartAsync(unclaimed);
        await Runs.CancelAsync(pending);
        var silent = await ClaimNewAsync();
        await Events.AppendAsync(silent, Event(1));
        var (writing, beating, ended) = (await ClaimNewAsync(), await ClaimNewAsync(), await ClaimNewAsync());
        await RunQueue.CompleteAsync(ended);
        await SilenceAsync();
        await Events.AppendAsync(writing, Event(1));
        await RunQueue.HeartbeatAsync([beating]);
        await ClaimNewAsync("org.example.just.claimed");
        await Runs.StartAsync(await CreateCrawlAsync("org.example.just.started"));
        var stale = new[] { unclaimed, silent.Run.Id };

        Assert.That((await RunQueue.ListStaleAsync(Silence)).Select(run => run.Id), Is.EqualTo(stale));
        Assert.That((await RunQueue.ListStaleAsync(Silence, limit: 1)).Select(run => run.Id), Is.EqualTo(stale[..1]));
        Assert.That((await RunQueue.FailStaleAsync(Silence, limit: 1)).Select(run => run.Id), Is.EqualTo(stale[..1]));
        var failed = (await RunQueue.FailStaleAsync(Silence)).Single();
        Assert.That(
            (failed.Id, failed.Status, failed.ErrorMessage),
            Is.EqualTo((silent.Run.Id, CrawlStatus.Failed, "the run was stale: it had no event and no heartbeat for 00:05:00")));
        Assert.That(failed.CompletedAt, Is.Not.Null);
        Assert.That(await Runs.GetAsync(failed.Id), Is.EqualTo(failed));
        Assert.That(await RunQueue.FailStaleAsync(Silence), Is.Empty);
    }

    /// <summary>There is no mark: nothing calls <see cref="CrawlRunQueue.FailStaleAsync"/>.</summary>
    [Test]
    public async Task Without_marks_the_stored_times_show_which_runs_are_silent()
    {
        var (unclaimed, ended) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await Runs.StartAsync(unclaimed);
        await Runs.CancelAsync(ended);
        var (silent, writing, beating) = (await ClaimNewAsync(), await ClaimNewAsync(), await ClaimNewAsync());
        await Events.AppendAsync(silent, Event(1) with { CreatedAt = DateTimeOffset.UtcNow - (2 * Silence) });
        await SilenceAsync();
        await ExecuteAsync("delete from crawl_event_marks");
        await Events.AppendAsync(writing, Event(1));
        await RunQueue.HeartbeatAsync([beating]);
        await ClaimNewAsync("org.example.just.claimed");

        Assert.That((await RunQueue.ListSilentAsync(Silence)).Select(run => run.Id), Is.EqualTo(new[] { unclaimed, silent.Run.Id }));
        Assert.That((await RunQueue.ListSilentAsync(Silence, limit: 1)).Select(run => run.Id), Is.EqualTo(new[] { unclaimed }));
        Assert.That(await RunQueue.ListSilentAsync(4 * Silence), Is.Empty);
        Assert.That(await RunQueue.ListStaleAsync(Silence), Is.Empty);
    }

    [Test]
    public async Task The_server_s_clock_decides_whatever_times_a_worker_gives_its_events([Values(-10, 0, 60)] int minutes)
    {
        var (alive, dead) = (await ClaimNewAsync(), await ClaimNewAsync());
        await Events.AppendAsync(dead, Event(1) with { CreatedAt = DateTimeOffset.UtcNow.AddMinutes(minutes) });
        await SilenceAsync();
        await Events.AppendAsync(alive, Event(1) with { CreatedAt = DateTimeOffset.UtcNow.AddMinutes(minutes) });

        Assert.That((await RunQueue.FailStaleAsync(Silence)).Select(run => run.Id), Is.EqualTo(new[] { dead.Run.Id }));
    }

    [Test]
    public async Task Failing_takes_marks_that_the_next_call_relies_on_and_thins_them()
    {
        var claim = await ClaimNewAsync();
        await ExecuteAsync(
            """
            update crawl_runs set started_at = started_at - interval '1 hour';
            update crawl_run_claims set heartbeat_at = now() - interval '1 hour'
            """);
        Assert.That(await RunQueue.FailStaleAsync(Silence), Is.Empty, "there was no mark");
        await ExecuteAsync("update crawl_event_marks set marked_at = now() - @ago", new { ago = 2 * Silence });
        Assert.That((await RunQueue.FailStaleAsync(Silence)).Single().Id, Is.EqualTo(claim.Run.Id));

        await ExecuteAsync(
            """
            insert into crawl_event_marks (marked_at, event_id)
            select clock_timestamp() - number * interval '10 seconds', 0 from generate_series(1, 10000) as numbers (number)
            """);
        await RunQueue.FailStaleAsync(Silence);
        Assert.That((await QueryAsync<long>("select count(*) from crawl_event_marks")).Single(), Is.InRange(50, 400));
    }

    /// <summary>The ids of new events are below the marks, so nothing is known about them.</summary>
    [Test]
    public async Task A_sequence_that_was_set_back_makes_no_run_stale()
    {
        var claim = await ClaimNewAsync();
        await Events.AppendAsync(claim, EventsOf(5));
        await SilenceAsync();
        var last = (await QueryAsync<long>("select last_value from crawl_events_id_seq")).Single();
        await ExecuteAsync("truncate crawl_events; select setval('crawl_events_id_seq', 1)");
        try
        {
            await Events.AppendAsync(claim, Event(1));

            Assert.That(await RunQueue.ListStaleAsync(Silence), Is.Empty);
            Assert.That(await RunQueue.FailStaleAsync(Silence), Is.Empty);
        }
        finally
        {
            await ExecuteAsync("select setval('crawl_events_id_seq', @last)", new { last });
        }
    }

    /// <summary>Goes red without the second statement: the check's snapshot is from before the lock.</summary>
    [NotOnCitus]
    [Test]
    public async Task A_run_is_not_failed_that_shows_life_while_a_call_locks_it([Values("event", "heartbeat", "claim")] string life)
    {
        var claim = await ClaimNewAsync();
        await SilenceAsync();
        await using var gate = await LockingStatementGate.CloseAsync(DataSource, Database.ConnectionString, "crawl_runs", "read committed");

        var failing = new CrawlRunQueue(gate.DataSource).FailStaleAsync(Silence);
        await gate.UntilReachedAsync();
        switch (life)
        {
            case "event":
                await Events.AppendAsync(claim.Run.Id, Event(1));
                break;
            case "heartbeat":
                await RunQueue.HeartbeatAsync([claim]);
                break;
            default:
                await RunQueue.ReleaseAsync(claim);
                claim = (await RunQueue.ClaimNextAsync())!;
                break;
        }

        await gate.OpenAsync();

        Assert.That(await failing, Is.Empty);
        (await RunQueue.CompleteAsync(claim)).EnsureApplied();
    }

    [Test]
    public async Task A_run_that_is_writing_is_passed_over()
    {
        var claim = await ClaimNewAsync();
        await SilenceAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(claim, Event(1), transaction);

        Assert.That(await RunQueue.FailStaleAsync(Silence), Is.Empty);
        await transaction.CommitAsync();
        Assert.That(await RunQueue.FailStaleAsync(Silence), Is.Empty);
    }

    [Test]
    public async Task Concurrent_calls_fail_each_run_once()
    {
        var running = new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running };
        await Runs.InsertAsync(Enumerable.Range(0, 50).Select(number => running with { StartedAt = number == 0 ? null : DateTimeOffset.UtcNow }));
        await SilenceAsync();

        var failed = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => RunQueue.FailStaleAsync(Silence))));

        Assert.That(failed.SelectMany(runs => runs).Select(run => run.Id).ToList(), Is.Unique.And.Count.EqualTo(50));
    }

    [Test]
    public void Durations_and_numbers_out_of_range_are_refused() => Assert.Multiple(() =>
    {
        Assert.That(
            () => RunQueue.ListStaleAsync(TimeSpan.Zero), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("silentFor"));
        Assert.That(() => RunQueue.FailStaleAsync(Silence, 0), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("limit"));
    });
}

using CrawlData.Audits;

namespace CrawlData.Tests.Audits;

public sealed class AuditSessionQueueClaimTests : EmptiedDatabaseTest
{
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(5);

    [Test]
    public async Task The_oldest_queued_session_is_claimed_and_runs_its_next_attempt()
    {
        var sessions = await Sessions.InsertAsync(
        [
            Session("https://example.org/1"),
            Session("https://example.org/2"),
            Session("https://example.org/0") with { CreatedAt = DateTimeOffset.UnixEpoch },
        ]);

        var claimed = new[] { await Queue.ClaimNextAsync(), await Queue.ClaimNextAsync(), await Queue.ClaimNextAsync() };

        Assert.That(claimed.Select(session => session!.Id), Is.EqualTo(new[] { sessions[2].Id, sessions[0].Id, sessions[1].Id }));
        Assert.That(claimed[0], Is.EqualTo(sessions[2] with { Status = AuditSessionStatus.Running, Attempts = 1 }));
        Assert.That(await Sessions.GetAsync(sessions[2].Id), Is.EqualTo(claimed[0]));
        Assert.That(await Queue.ClaimNextAsync(), Is.Null);
    }

    [Test]
    public async Task A_session_whose_attempts_cannot_rise_is_passed_over_and_stops_no_claim()
    {
        var exhausted = await EnqueueAsync("https://example.org/exhausted");
        var next = await EnqueueAsync("https://example.org/next");
        await ExecuteAsync("update audit_sessions set attempts = 2147483647 where id = @exhausted", new { exhausted });

        Assert.That((await Queue.ClaimNextAsync())?.Id, Is.EqualTo(next));
        Assert.That(await Queue.ClaimNextAsync(), Is.Null);
        var refused = await Queue.StartAsync(exhausted);
        Assert.That((refused.Outcome, refused.Row!.Status), Is.EqualTo((TransitionOutcome.Refused, AuditSessionStatus.Queued)));
    }

    [Test]
    public async Task A_stale_session_whose_attempts_cannot_rise_fails_and_stops_no_rescue()
    {
        var exhausted = await ClaimNewAsync("https://example.org/exhausted");
        var other = await ClaimNewAsync("https://example.org/other");
        await ExecuteAsync("update audit_sessions set attempts = 2147483647 where id = @Id", new { exhausted.Id });
        await SilenceAsync();

        var rescued = await Queue.RescueStaleAsync(Silence, maxAttempts: int.MaxValue);

        Assert.That(
            rescued.Select(session => (session.Id, session.Status)),
            Is.EqualTo(new[] { (exhausted.Id, AuditSessionStatus.Failed), (other.Id, AuditSessionStatus.Queued) }));
    }

    [Test]
    public async Task Each_attempt_writes_the_first_line_of_its_log()
    {
        var id = await EnqueueAsync();
        await Queue.ClaimNextAsync();
        await Queue.FailAsync(id, 1, "no route");
        await Queue.RequeueAsync(id);
        await Queue.StartAsync(id);

        var lines = (await Logs.ListAsync(id)).Items;

        Assert.That(
            lines.Select(line => (line.EventType, line.Message)),
            Is.EqualTo(new[] { (CrawlLogEventType.Navigation, "attempt 1 begins"), (CrawlLogEventType.Retry, "attempt 2 begins") }));
        Assert.That(lines.Select(line => line.Details), Is.EqualTo(new[] { Jsonb.Parse("""{"attempt": 1}"""), Jsonb.Parse("""{"attempt": 2}""") }));
    }

    [Test]
    public async Task A_claim_never_blocks_and_skips_sessions_that_are_being_claimed()
    {
        var first = await EnqueueAsync();
        var second = await EnqueueAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        var mine = await Queue.ClaimNextAsync(transaction);
        var others = await Queue.ClaimNextAsync();
        var none = await Queue.ClaimNextAsync();
        await transaction.RollbackAsync();
        var again = await Queue.ClaimNextAsync();

        Assert.That((mine!.Id, others!.Id, none, again!.Id), Is.EqualTo((first, second, (AuditSession?)null, first)));
        Assert.That(again.Attempts, Is.EqualTo(1));
    }

    /// <summary>Goes red with <c>for update</c>: it conflicts with the lock of a foreign key's check, and the claim would skip the session.</summary>
    [Test]
    public async Task A_session_that_gets_new_rows_is_still_claimed()
    {
        var id = await EnqueueAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Logs.AppendAsync(id, Line(1), transaction);

        Assert.That((await Queue.ClaimNextAsync())?.Id, Is.EqualTo(id));
    }

    [Test]
    public async Task A_worker_whose_session_was_rescued_cannot_overwrite_the_next_attempt()
    {
        var id = await EnqueueAsync();
        var slow = (await Queue.ClaimNextAsync())!;
        await SilenceAsync();
        await Queue.RescueStaleAsync(Silence, maxAttempts: 3);

        Assert.That((await Queue.CompleteAsync(id, slow.Attempts)).Outcome, Is.EqualTo(TransitionOutcome.Refused), "while it is queued");
        var successor = (await Queue.ClaimNextAsync())!;

        foreach (var change in new[]
        {
            await Queue.CompleteAsync(id, slow.Attempts),
            await Queue.CompletePartiallyAsync(id, slow.Attempts, "half"),
            await Queue.FailAsync(id, slow.Attempts, "slow"),
            await Queue.RecordFindingsAsync(id, slow.Attempts, new AuditFindings { FinalUrl = "https://example.org/slow" }),
        })
        {
            Assert.That((change.Outcome, change.Row), Is.EqualTo((TransitionOutcome.Refused, successor)));
        }

        Assert.That((await Queue.CompleteAsync(id, successor.Attempts)).EnsureApplied().Attempts, Is.EqualTo(2));
    }

    [Test]
    public async Task A_rescued_attempt_records_no_more_findings()
    {
        var id = await EnqueueAsync();
        var slow = (await Queue.ClaimNextAsync())!;
        await SilenceAsync();
        var released = (await Queue.RescueStaleAsync(Silence, maxAttempts: 3)).Single();

        var refused = await Queue.RecordFindingsAsync(id, slow.Attempts, new AuditFindings { FinalUrl = "https://example.org/slow" });

        Assert.That((refused.Outcome, refused.Row), Is.EqualTo((TransitionOutcome.Refused, released)));
    }

    [Test]
    public async Task Only_sessions_without_recent_log_lines_are_stale()
    {
        await EnqueueAsync("https://example.org/queued");
        var stale = await ClaimNewAsync("https://example.org/stale");
        var staleToo = await ClaimNewAsync("https://example.org/silent-too");
        await Logs.AppendAsync(staleToo.Id, Line(1));
        var talking = await ClaimNewAsync("https://example.org/talking");
        var ended = await ClaimNewAsync("https://example.org/ended");
        await Queue.CompleteAsync(ended.Id, ended.Attempts);
        await SilenceAsync();
        await Logs.AppendAsync(talking.Id, Line(1));
        await ClaimNewAsync("https://example.org/just-claimed");

        Assert.That((await Queue.ListStaleAsync(Silence)).Select(session => session.Id), Is.EqualTo(new[] { stale.Id, staleToo.Id }));
        Assert.That((await Queue.ListStaleAsync(Silence, limit: 1)).Select(session => session.Id), Is.EqualTo(new[] { stale.Id }));
        Assert.That((await Queue.RescueStaleAsync(Silence, 2, limit: 1)).Select(session => session.Id), Is.EqualTo(new[] { stale.Id }));
        Assert.That((await Queue.RescueStaleAsync(Silence, 2)).Select(session => session.Id), Is.EqualTo(new[] { staleToo.Id }));
    }

    /// <summary>There is no mark: nothing calls <see cref="AuditSessionQueue.RescueStaleAsync"/>.</summary>
    [Test]
    public async Task Without_marks_the_stored_times_show_which_sessions_are_silent()
    {
        await EnqueueAsync("https://example.org/queued");
        await Queue.StartAsync(await EnqueueAsync("https://example.org/ended"));
        var sessions = new List<Guid>();
        foreach (var name in new[] { "silent", "talking", "beating", "just-claimed" })
        {
            sessions.Add(await EnqueueAsync($"https://example.org/{name}"));
            await Queue.StartAsync(sessions[^1]);
        }

        await ExecuteAsync(
            """
            update audit_sessions set status = 'failed' where url like '%/ended';
            update audit_sessions set created_at = created_at - @ago where url not like '%/just-claimed';
            update crawl_logs set timestamp = timestamp - @ago;
            delete from crawl_log_marks
            """,
            new { ago = 2 * Silence });
        await Logs.AppendAsync(sessions[1], Line(1));
        await Queue.HeartbeatAsync([(sessions[2], 1)]);

        Assert.That((await Queue.ListSilentAsync(Silence)).Select(session => session.Id), Is.EqualTo(sessions[..1]));
        Assert.That(await Queue.ListSilentAsync(4 * Silence), Is.Empty);
        Assert.That(await Queue.ListStaleAsync(Silence), Is.Empty);
    }

    /// <summary>Lines stamped by a worker's clock that is minutes slow or hours fast, or not at all a time that .NET can hold.</summary>
    [Test]
    public async Task The_server_s_clock_decides_whatever_timestamps_a_worker_gives_its_lines([Values("-10 minutes", "0", "1 hour", "infinity")] string skew)
    {
        var (alive, dead) = (await ClaimNewAsync("https://example.org/alive"), await ClaimNewAsync("https://example.org/dead"));
        await WriteAsync(dead);
        await SilenceAsync();
        await WriteAsync(alive);

        Assert.That((await Queue.ListStaleAsync(Silence)).Select(session => session.Id), Is.EqualTo(new[] { dead.Id }));
        Assert.That((await Queue.RescueStaleAsync(Silence, maxAttempts: 3)).Select(session => session.Id), Is.EqualTo(new[] { dead.Id }));

        Task WriteAsync(AuditSession session) => ExecuteAsync(
            """
            insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
            select @Id, 'info', 'navigation', '', '{}', case @skew when 'infinity' then 'infinity' else clock_timestamp() + @skew::interval end
            """,
            new { session.Id, skew });
    }

    /// <summary>The ids of new lines are below the marks, so nothing is known about them.</summary>
    [Test]
    public async Task A_sequence_that_was_set_back_makes_no_session_stale()
    {
        await ClaimNewAsync("https://example.org/");
        await SilenceAsync();
        var last = (await QueryAsync<long>("select last_value from crawl_logs_id_seq")).Single();
        await ExecuteAsync("truncate crawl_logs; select setval('crawl_logs_id_seq', 1)");
        try
        {
            await ClaimNewAsync("https://example.org/other");

            Assert.That(await Queue.ListStaleAsync(Silence), Is.Empty);
            Assert.That(await Queue.RescueStaleAsync(Silence, maxAttempts: 3), Is.Empty);
        }
        finally
        {
            await ExecuteAsync("select setval('crawl_logs_id_seq', @last)", new { last });
        }
    }

    [Test]
    public async Task A_rescue_takes_marks_that_the_next_one_relies_on_and_thins_them()
    {
        var session = await ClaimNewAsync("https://example.org/");
        Assert.That(await Queue.RescueStaleAsync(Silence, maxAttempts: 3), Is.Empty, "there was no mark");
        await ExecuteAsync("update crawl_log_marks set marked_at = marked_at - @ago", new { ago = 2 * Silence });
        Assert.That((await Queue.RescueStaleAsync(Silence, maxAttempts: 3)).Single().Id, Is.EqualTo(session.Id));

        // Taken every ten seconds of a month, in which one call in a thousand thins them.
        await ExecuteAsync("truncate crawl_log_marks");
        await ExecuteAsync(
            """
            insert into crawl_log_marks (marked_at, log_id)
            select clock_timestamp() - number * interval '10 seconds', -number from generate_series(1, 259200) as numbers (number)
            """);
        await Queue.RescueStaleAsync(Silence, maxAttempts: 3);

        Assert.That((await QueryAsync<long>("select count(*) from crawl_log_marks")).Single(), Is.InRange(100, 400));
        foreach (var silence in new[] { TimeSpan.FromMinutes(5), TimeSpan.FromHours(3), TimeSpan.FromDays(20) })
        {
            var age = (await QueryAsync<TimeSpan>(
                "select clock_timestamp() - max(marked_at) from crawl_log_marks where marked_at <= clock_timestamp() - @silence", new { silence })).Single();
            Assert.That(age, Is.LessThan(1.1 * silence + TimeSpan.FromSeconds(10)));
        }
    }

    [Test]
    public async Task A_stale_session_is_requeued_and_fails_after_its_last_attempt()
    {
        var id = await EnqueueAsync();
        await Queue.ClaimNextAsync();
        await SilenceAsync();
        var released = (await Queue.RescueStaleAsync(Silence, maxAttempts: 2)).Single();
        var claimed = await Queue.ClaimNextAsync();
        await SilenceAsync();
        var failed = (await Queue.RescueStaleAsync(Silence, maxAttempts: 2)).Single();

        Assert.That(
            (released.Status, released.Attempts, released.ErrorSummary),
            Is.EqualTo((AuditSessionStatus.Queued, 1, "attempt 1 was stale: it wrote no log line for 00:05:00")));
        Assert.That((claimed!.Id, claimed.Attempts), Is.EqualTo((id, 2)));
        Assert.That(
            (failed.Status, failed.Attempts, failed.ErrorSummary),
            Is.EqualTo((AuditSessionStatus.Failed, 2, "attempt 2 was stale: it wrote no log line for 00:05:00")));
        Assert.That(await Sessions.GetAsync(id), Is.EqualTo(failed));
    }

    [Test]
    public async Task Concurrent_rescues_rescue_each_session_once()
    {
        for (var number = 0; number < 50; number++)
        {
            await ClaimNewAsync($"https://example.org/{number}");
        }

        await SilenceAsync();

        var released = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Queue.RescueStaleAsync(Silence, maxAttempts: 3))));

        Assert.That(released.SelectMany(sessions => sessions).Select(session => session.Id).ToList(), Is.Unique.And.Count.EqualTo(50));
    }

    [Test]
    public void Durations_and_numbers_out_of_range_are_refused() => Assert.Multiple(() =>
    {
        Assert.That(
            () => Queue.ListStaleAsync(TimeSpan.Zero), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("silentFor"));
        Assert.That(
            () => Queue.RescueStaleAsync(Silence, 0), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("maxAttempts"));
        Assert.That(() => Queue.RescueStaleAsync(Silence, 1, 0), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("limit"));
    });

    private async Task<AuditSession> ClaimNewAsync(string url)
    {
        var id = await EnqueueAsync(url);
        return (await Queue.StartAsync(id)).EnsureApplied();
    }

    /// <summary>Makes the lines that there are now lie in the past, by the server's clock.</summary>
    private Task SilenceAsync() => ExecuteAsync(
        """
        delete from crawl_log_marks;
        insert into crawl_log_marks (marked_at, log_id) select clock_timestamp() - @ago, max(id) from crawl_logs
        """,
        new { ago = 2 * Silence });
}

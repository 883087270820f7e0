using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Tests.Cli;

/// <summary>The commands that make and change runs and sessions.</summary>
public sealed class ActCommandsTests : ToolTest
{
    [Test]
    public async Task A_run_is_created_started_and_completed_by_the_beginning_of_its_id()
    {
        var created = await RunAsync("run", "create", "--app", "org.example.app");
        AssertDone(created);
        var run = (await Runs.GetAsync(Guid.Parse(created.Output.TrimEnd('\n'))))!;
        Assert.That((run.Status, run.AppPackage, run.MaxSteps), Is.EqualTo((CrawlStatus.Pending, "org.example.app", 100)));
        var beginning = $"{run.Id}"[..23];

        var started = await RunAsync("run", "start", beginning);
        var completed = await RunAsync("run", "complete", beginning, "--table");

        AssertDone(started);
        Assert.That(started.Column("status"), Is.EqualTo(["RUNNING"]));
        AssertDone(completed);
        Assert.That(completed.Output, Does.Match($@"^Run {run.Id} of org\.example\.app is now COMPLETED, after \d+ s\.\n$"));
        Assert.That((await Runs.GetAsync(run.Id))!.Status, Is.EqualTo(CrawlStatus.Completed));
    }

    [Test]
    public async Task A_run_is_created_with_all_that_is_given_and_started()
    {
        var created = await RunAsync(
            "run", "create", "--app", "org.example.app", "--goal", "see it all", "--max-steps", "7", "--device", """{"model": "Pixel 8"}""",
            "--start", "--json");

        AssertDone(created);
        var run = (await Runs.GetAsync(Guid.Parse(created.Column("id").Single()!)))!;
        Assert.That(
            (run.Status, run.Goal, run.MaxSteps, run.DeviceConfig),
            Is.EqualTo((CrawlStatus.Running, "see it all", 7, Jsonb.Parse("""{"model": "Pixel 8"}"""))));
        Assert.That(run.StartedAt, Is.Not.Null);
    }

    [Test]
    public async Task A_run_that_cannot_be_started_at_once_is_not_created()
    {
        await using var trigger = DataSource.CreateCommand(
            """
            create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end';
            create trigger refuse before update on crawl_runs for each row when (new.app_package = 'org.example.refused') execute function refuse()
            """);
        await trigger.ExecuteNonQueryAsync();

        var result = await RunAsync("run", "create", "--app", "org.example.refused", "--start");

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That((await Runs.ListAsync(new CrawlRunFilter { AppPackage = "org.example.refused" })).Items, Is.Empty);
    }

    [Test]
    public async Task A_stuck_run_is_failed_and_retried_once()
    {
        var crawl = await CreateCrawlAsync();
        await Runs.StartAsync(crawl);

        var failed = await RunAsync("run", "fail", $"{crawl}", "--error", "the device\u202e is gone");
        var retried = await RunAsync("run", "retry", $"{crawl}", "--delay", "1h");
        var again = await RunAsync("run", "retry", $"{crawl}");

        AssertDone(failed);
        Assert.That((await Runs.GetAsync(crawl))!.ErrorMessage, Is.EqualTo("the device\u202e is gone"));
        AssertDone(retried);
        var retry = Guid.Parse(retried.Output.TrimEnd('\n'));
        var attempt = (await RunQueue.GetAttemptAsync(retry))!;
        Assert.That((attempt.Number, attempt.RetryOf), Is.EqualTo((2, crawl)));
        Assert.That(attempt.NotBefore, Is.EqualTo(DateTimeOffset.UtcNow.AddHours(1)).Within(TimeSpan.FromMinutes(5)));
        Assert.That((await RunAsync("run", $"{crawl}", "--table")).Output, Does.Contain($"\nretried     by run {retry}\n"));
        Assert.That((await RunAsync("run", $"{retry}", "--table")).Output, Does.Match($"\nattempt     2, a retry of run {crawl}\ndelayed     until 2"));
        AssertFailed(again, 1, $"crawldata: Crawl {crawl} is retried already, by crawl {retry}. Retry that one.");
        await Runs.CancelAsync(retry);
        AssertFailed(
            await RunAsync("run", "retry", $"{retry}", "--max-attempts", "2"), 1, $"crawldata: Crawl {retry} is at attempt 2, and --max-attempts is 2.");
    }

    [TestCase("start", CrawlStatus.Running, "PENDING")]
    [TestCase("complete", CrawlStatus.Pending, "RUNNING")]
    [TestCase("fail --error late", CrawlStatus.Completed, "PENDING, RUNNING")]
    [TestCase("cancel", CrawlStatus.Failed, "PENDING, RUNNING")]
    public async Task A_status_that_does_not_allow_a_change_is_one_line_that_says_which_do(string command, CrawlStatus status, string allowed)
    {
        var run = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = status });
        var words = command.Split(' ');

        AssertFailed(
            await RunAsync(["run", words[0], $"{run.Id}", .. words[1..]]),
            1,
            $"crawldata: Crawl {run.Id} is {status.ToString().ToUpperInvariant()}. The transition '{words[0]}' is allowed for: {allowed}.");
        Assert.That(await Runs.GetAsync(run.Id), Is.EqualTo(run));
    }

    [Test]
    public async Task A_session_is_enqueued_failed_requeued_and_released()
    {
        var enqueued = await RunAsync(
            "session", "enqueue", "https://Example.org", "--policy", "2026.11", "--config", """{"timeout_ms": 5}""", "--mode", "debug", "--retention", "long");
        AssertDone(enqueued);
        var id = Guid.Parse(enqueued.Output.TrimEnd('\n'));
        var session = (await Sessions.GetAsync(id))!;
        Assert.That(
            (session.Url, session.Mode, session.RetentionPolicy, session.ConfigSnapshot),
            Is.EqualTo(("https://example.org/", AuditMode.Debug, RetentionPolicy.Long, Jsonb.Parse("""{"timeout_ms": 5}"""))));
        await Queue.StartAsync(id);

        var failed = await RunAsync("session", "fail", $"{id}", "--error", "blocked");
        var requeued = await RunAsync("session", "requeue", $"{id}", "--table");
        await Queue.StartAsync(id);
        var stale = await RunAsync("session", "release", $"{id}", "--attempt", "1");
        var released = await RunAsync("session", "release", $"{id}", "--attempt", "2");

        AssertDone(failed);
        Assert.That((failed.Column("status").Single(), failed.Column("error_summary").Single()), Is.EqualTo(("failed", "blocked")));
        Assert.That(requeued.Output, Is.EqualTo($"Session {id} of https://example.org/ is now queued, after attempt 1.\n"));
        AssertFailed(stale, 1, $"crawldata: Session {id} is running at attempt 2, and not at attempt 1. Look at it again.");
        AssertDone(released);
        Assert.That((await Sessions.GetAsync(id))!.Status, Is.EqualTo(AuditSessionStatus.Queued));
        AssertFailed(
            await RunAsync("session", "fail", $"{id}", "--error", "late"),
            1,
            $"crawldata: Session {id} is queued at attempt 2. The transition 'fail' is allowed for: running.");
    }

    /// <summary>The attempt is the one that the operator could see. A new attempt that begins meanwhile is not failed.</summary>
    [Test]
    public async Task A_session_that_gets_another_attempt_meanwhile_is_left_alone()
    {
        var id = await EnqueueAsync();
        await Queue.StartAsync(id);
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await Queue.ReleaseAsync(id, 1, transaction);
        await Queue.StartAsync(id, transaction);
        var failing = RunAsync("session", "fail", $"{id}", "--error", "stuck");
        await Wait.UntilBlockedByAsync(DataSource, holder);

        await transaction.CommitAsync();

        AssertFailed(await failing, 1, $"crawldata: Session {id} is running at attempt 2, and not at attempt 1. Look at it again.");
        Assert.That((await Sessions.GetAsync(id))!.Status, Is.EqualTo(AuditSessionStatus.Running));
    }
}

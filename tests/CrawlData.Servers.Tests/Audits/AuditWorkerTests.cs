using System.Collections.Concurrent;
using CrawlData.Audits;
using Npgsql;

namespace CrawlData.Tests.Audits;

/// <summary>Workers claim sessions, die, are slow and lose their connections, while another rescues stale sessions.</summary>
public sealed class AuditWorkerTests : EmptiedDatabaseTest
{
    private const int WorkerCount = 16;
    private const int SessionCount = 800;

    // A fast machine may audit all sessions before as many connections were terminated. So the workers go on until then.
    private const int FewestFaults = 5;

    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentBag<(Guid Id, int Attempt)> applied = [];

    // Completes with the next round of rescues.
    private TaskCompletionSource rescue = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int died;
    private int lost;
    private int refused;

    [Test]
    public async Task Each_session_is_finished_by_exactly_one_attempt_though_workers_are_killed()
    {
        // The server's record of the finished attempts.
        await ExecuteAsync(
            """
            create table finishes (session_id uuid, attempt int);
            create function note_finish() returns trigger language plpgsql as
                'begin insert into finishes values (new.id, new.attempts); return null; end';
            create trigger note_finish after update on audit_sessions for each row
                when (old.status = 'running' and new.status in ('completed', 'partial', 'failed')) execute function note_finish();
            """);
        await Sessions.InsertAsync(Enumerable.Range(1, SessionCount).Select(number => Session($"https://example.org/{number}")));
        await using var workers = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { ApplicationName = "worker", MaxPoolSize = WorkerCount });

        using var ended = new CancellationTokenSource();
        var killer = KillConnectionsAsync(ended.Token);
        var reaper = RescueStaleAsync(ended.Token);
        await Task.WhenAll(Enumerable.Range(0, WorkerCount).Select(number => Task.Run(() => WorkAsync(workers, new Random(number)))));
        await ended.CancelAsync();
        await Task.WhenAll(killer, reaper);

        var finishes = await QueryAsync<(Guid Id, int Attempt)>("select session_id, attempt from finishes");
        var attempts = await QueryAsync<(Guid Id, int Attempt)>("select id, attempts from audit_sessions");
        TestContext.Out.WriteLine(
            $"{attempts.Sum(session => session.Attempt)} attempts, {died} workers died, {lost} connections lost, {refused} late finishes refused");
        Assert.That(finishes, Has.Count.EqualTo(SessionCount));
        Assert.That(finishes, Is.EquivalentTo(attempts));
        Assert.That(applied, Is.Unique.And.SubsetOf(finishes));
        Assert.That(new[] { died, lost, refused }, Is.All.GreaterThanOrEqualTo(FewestFaults), "there must be something to survive");
    }

    private async Task WorkAsync(NpgsqlDataSource dataSource, Random random)
    {
        var sessions = new AuditSessionRepository(dataSource);
        var queue = new AuditSessionQueue(dataSource);
        var logs = new CrawlLogRepository(dataSource);
        while (true)
        {
            try
            {
                if (await queue.ClaimNextAsync() is { } session)
                {
                    await AuditAsync(sessions, queue, logs, session, random);
                }
                else if ((await sessions.CountByStatusAsync()) is var counts && counts[AuditSessionStatus.Queued] + counts[AuditSessionStatus.Running] == 0
                    && Volatile.Read(ref lost) >= FewestFaults)
                {
                    return;
                }
                else
                {
                    // A rescue may requeue a session that is still running.
                    await rescue.Task;
                }
            }
            catch (NpgsqlException)
            {
                Interlocked.Increment(ref lost);
            }
        }
    }

    private async Task AuditAsync(AuditSessionRepository sessions, AuditSessionQueue queue, CrawlLogRepository logs, AuditSession session, Random random)
    {
        var fate = random.Next(100);
        if (fate < 3)
        {
            Interlocked.Increment(ref died);
            return;
        }

        await logs.AppendAsync(session.Id, Line(1));
        if (fate < 6)
        {
            Interlocked.Increment(ref died);
            return;
        }

        // Slow: a rescue has taken the session before this worker finishes it.
        for (
            var slow = fate < 9; slow; slow = await sessions.GetAsync(
                session.Id) is { Status: AuditSessionStatus.Running } same && same.Attempts == session.Attempts)
        {
            await rescue.Task;
        }

        var finish = random.Next(3) switch
        {
            0 => await queue.CompleteAsync(session.Id, session.Attempts),
            1 => await queue.CompletePartiallyAsync(session.Id, session.Attempts, "no product page"),
            _ => await queue.FailAsync(session.Id, session.Attempts, "no route"),
        };
        if (finish.Outcome == TransitionOutcome.Applied)
        {
            applied.Add((session.Id, session.Attempts));
        }
        else
        {
            Interlocked.Increment(ref refused);
        }
    }

    private async Task RescueStaleAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        for (; !cancellationToken.IsCancellationRequested; await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            await Queue.RescueStaleAsync(Silence, maxAttempts: 1_000, limit: 1_000, cancellationToken: CancellationToken.None);
            Interlocked.Exchange(ref rescue, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }
    }

    /// <summary>Terminates connections, as the server sees it when a process is killed.</summary>
    private async Task KillConnectionsAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        for (; !cancellationToken.IsCancellationRequested; await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            await ExecuteAsync(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and application_name = 'worker' order by random() limit 1
                """);
        }
    }
}

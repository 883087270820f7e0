using System.Globalization;
using CrawlData.Crawls;
using CrawlData.Tests.Servers;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Workers;

/// <summary>Processes with hosted workers are killed, stopped, and cut from the database, and the server is restarted. <c>CRAWLDATA_FAULT_RUNS</c> says how
/// many runs there are.</summary>
[Category("Faults")]
public sealed class WorkerFaultTests
{
    private const int Steps = 20;

    private static readonly int RunCount = int.Parse(Environment.GetEnvironmentVariable("CRAWLDATA_FAULT_RUNS") ?? "40", CultureInfo.InvariantCulture);

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(30);

    [Test]
    public async Task Each_run_is_finished_by_one_claim_though_its_workers_are_killed_stopped_and_cut_from_the_database()
    {
        await using var server = await RestartableServer.StartAsync();
        var (processCount, faults) = (Math.Clamp(RunCount / 50, 3, 8), Math.Max(9, RunCount / 4));
        await TestAsync(server, WorkingProcess.Acknowledging, RunCount, processCount, faults, async (processes, random, counts) =>
        {
            var process = processes[random.Next(processes.Length)];
            switch (random.Next(3))
            {
                case 0:
                    counts.Killed++;
                    await process.KillAsync();
                    break;
                case 1:
                    counts.Stopped++;
                    await process.RestartAsync();
                    break;
                default:
                    counts.Cut++;
                    await process.CutAsync(TimeSpan.FromMilliseconds(random.Next(4_000)), silently: random.Next(2) == 0);
                    break;
            }
        });
    }

    /// <summary>An outage lasts longer than a run's worker may be silent.</summary>
    [Test]
    public async Task The_recipe_s_worker_survives_kills_stops_a_restart_of_the_server_and_an_outage()
    {
        await using var server = await RestartableServer.StartAsync();
        var fault = 0;
        await TestAsync(server, WorkingProcess.Recipe, 30, 2, faults: 8, async (processes, random, counts) =>
        {
            switch (fault++ % 4)
            {
                case 0:
                    counts.Killed++;
                    await processes[0].KillAsync();
                    break;
                case 1:
                    counts.Stopped++;
                    await processes[1].RestartAsync();
                    break;
                case 2:
                    counts.Restarted++;
                    await server.RestartAsync();
                    break;
                default:
                    counts.Cut++;
                    await Task.WhenAll(processes.Select(process => process.CutAsync(2 * WorkingProcess.StaleAfter, silently: false)));
                    break;
            }
        });
    }

    private static async Task TestAsync(
        RestartableServer server, string worker, int runCount, int processCount, int faults, Func<WorkerProcess[], Random, FaultCounts, Task> injectAsync)
    {
        // A connection that went silent may have locked a run. The retry that would end its session dies with its process.
        await server.SetAsync(("idle_in_transaction_session_timeout", "5s"));
        await ExecuteAsync(
            server,
            """
            create table finishes (run_id uuid, claim int, status text);
            create function note_finish() returns trigger language plpgsql as
                'begin insert into finishes select new.id, claim, new.status from crawl_run_claims where run_id = new.id; return null; end';
            create trigger note_finish after update on crawl_runs for each row
                when (old.status = 'RUNNING' and new.status in ('COMPLETED', 'FAILED')) execute function note_finish();
            """);
        var runs = new CrawlRunRepository(server.DataSource, notify: true);
        var inserted = new List<Guid>();
        for (var number = 0; number < runCount; number++)
        {
            inserted.Add((await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", MaxSteps = Steps })).Id);
        }

        var seed = Environment.TickCount;
        var (random, counts) = (new Random(seed), new FaultCounts());
        var processes = Enumerable.Range(0, processCount).Select(_ => new WorkerProcess(worker, server.ConnectionString)).ToArray();
        try
        {
            using var longest = new CancellationTokenSource(Longest);
            for (var unfinished = runCount; unfinished > 0; unfinished = await CountUnfinishedAsync(server))
            {
                longest.Token.ThrowIfCancellationRequested();
                await Task.Delay(random.Next(500), longest.Token);

                // The last runs are left in peace, so that the test ends.
                if (unfinished > runCount / 10 && counts.Total < faults)
                {
                    await injectAsync(processes, random, counts);
                }
            }

            await Task.WhenAll(processes.Select(process => process.StopAsync()));
            await CheckAsync(server, inserted, [.. processes.SelectMany(process => process.Output)], $"{processCount} processes, seed {seed}: {counts}");
        }
        finally
        {
            foreach (var process in processes)
            {
                await process.DisposeAsync();
            }
        }
    }

    private static async Task CheckAsync(RestartableServer server, List<Guid> inserted, IReadOnlyList<string> output, string description)
    {
        await using var connection = await server.DataSource.OpenConnectionAsync();
        var rows = (await connection.QueryAsync<(Guid Id, string Status, Guid? RetryOf)>(
            "select id, status::text, retry_of from crawl_runs left join crawl_run_retries on run_id = id")).AsList();
        var finishes = (await connection.QueryAsync<(Guid Id, string Status)>("select run_id, status from finishes")).AsList();
        var claims = (await connection.QueryAsync<int>("select claim from crawl_run_claims")).AsList();
        var events = (await connection.QueryAsync<(Guid Run, long Id, int Step)>(
            "select crawl_id, id, (payload->>'step')::int from crawl_events order by id")).AsList();
        var acknowledged = output.Select(line => line.Split(' ')).Where(parts => parts is [_, _, _, "."])
            .Select(parts => (
                Run: Guid.Parse(parts[0]),
                Id: long.Parse(parts[2], CultureInfo.InvariantCulture),
                Step: int.Parse(parts[1], CultureInfo.InvariantCulture)))
            .ToList();
        var statuses = rows.CountBy(row => row.Status).ToDictionary();
        TestContext.Out.WriteLine(
            $"{description}. {inserted.Count} runs, {rows.Count - inserted.Count} retries, {claims.Sum()} claims and releases; "
                + $"{string.Join(", ", statuses.Select(status => $"{status.Value} {status.Key}"))}. "
                + $"{acknowledged.Count:N0} events acknowledged, {events.Count:N0} stored.");

        Assert.That(statuses.Keys, Is.SubsetOf(["COMPLETED", "FAILED", "PENDING"]), "none is stuck, and none is cancelled");
        Assert.That(finishes.CountBy(finish => finish.Id).Where(count => count.Value > 1), Is.Empty, "finished twice");
        var retries = rows.Where(row => row.RetryOf is not null).ToDictionary(row => row.RetryOf!.Value);
        var byId = rows.ToDictionary(row => row.Id);
        foreach (var first in inserted)
        {
            var last = byId[first];
            while (retries.TryGetValue(last.Id, out var retry))
            {
                Assert.That(last.Status, Is.EqualTo("FAILED"), "retried");
                last = retry;
            }

            Assert.That(last.Status, Is.AnyOf("COMPLETED", "PENDING"), "the last of its chain");
        }

        Assert.That(acknowledged.Except(events), Is.Empty, "acknowledged and lost");
        var eventsOfRuns = events.ToLookup(one => one.Run, one => one.Step);
        foreach (var row in rows)
        {
            var steps = eventsOfRuns[row.Id].ToList();
            Assert.That(steps, Is.EqualTo(Enumerable.Range(1, row.Status == "COMPLETED" ? Steps : steps.Count)), $"events of a run that is {row.Status}");
        }
    }

    private static async Task<int> CountUnfinishedAsync(RestartableServer server)
    {
        try
        {
            await using var connection = await server.DataSource.OpenConnectionAsync();
            return await connection.ExecuteScalarAsync<int>("select count(*)::int from crawl_runs where status in ('PENDING', 'RUNNING')");
        }
        catch (NpgsqlException)
        {
            // The pool's connections are from before a restart.
            return int.MaxValue;
        }
    }

    private static async Task ExecuteAsync(RestartableServer server, string sql)
    {
        await using var connection = await server.DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }

    private sealed class FaultCounts
    {
        public int Killed { get; set; }

        public int Stopped { get; set; }

        public int Cut { get; set; }

        public int Restarted { get; set; }

        public int Total => Killed + Stopped + Cut + Restarted;

        public override string ToString() => $"{Killed} killed, {Stopped} stopped, {Cut} cut from the database, {Restarted} restarts of the server";
    }
}

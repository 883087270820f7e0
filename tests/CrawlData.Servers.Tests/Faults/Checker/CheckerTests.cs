using System.Diagnostics;
using System.Globalization;
using CrawlData.Schema;
using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Many clients invoke random operations under random faults. A judge compares their history with what is stored. <c>CRAWLDATA_FAULT_SECONDS</c> says
/// for how long, and <c>CRAWLDATA_FAULT_SEED</c> sets the choices.</summary>
[Category("Faults")]
[Parallelizable(ParallelScope.All)]
public sealed class CheckerTests
{
    private const string Database = "checker";
    private const string PromotedDatabase = "checker_promoted";
    private const int MostShown = 3;

    private const string TriggerSql =
        $"""
        create function check_event() returns trigger language plpgsql as $$
        begin
            if new.event_type = '{Workload.Refused}' then
                raise exception 'refused by a trigger' using errcode = 'check_violation';
            end if;
            new.created_at := clock_timestamp() at time zone 'utc';
            return new;
        end $$;
        create trigger check_event before insert on crawl_events for each row
            when (new.event_type in ('{Workload.Refused}', '{Workload.Stamped}')) execute function check_event()
        """;

    private const string RowSecuritySql =
        $"""
        create role {Workload.SecuredRole} login password '{Workload.SecuredRole}';
        grant select, insert, update on crawl_runs, crawl_events to {Workload.SecuredRole};
        grant usage on sequence crawl_events_id_seq to {Workload.SecuredRole};
        alter table crawl_events enable row level security;
        create policy all_events on crawl_events using (true) with check (true)
        """;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(
        double.Parse(Environment.GetEnvironmentVariable("CRAWLDATA_FAULT_SECONDS") ?? "2.5", CultureInfo.InvariantCulture));

    private static readonly TimeSpan LongestRound = TimeSpan.FromSeconds(4);

    private const int MostRounds = 10;

    private static readonly TimeSpan RoundDuration = Duration < LongestRound ? Duration : LongestRound;

    private static readonly int Seed = int.Parse(
        Environment.GetEnvironmentVariable("CRAWLDATA_FAULT_SEED") ?? $"{Random.Shared.Next(1_000_000)}", CultureInfo.InvariantCulture);

    [Test]
    public async Task A_random_history_under_random_faults_breaks_no_promise()
    {
        await using var server = await RestartableServer.StartAsync();
        await server.SetAsync(("max_prepared_transactions", "10"));
        await server.RestartAsync("fast");
        server.DataSource.Clear();
        await using var witness = await CreateDatabaseAsync(server, Database);
        await CheckAsync("one server", Database, (faults, seed) =>
            new Round(server, ConnectionString(server, Database), witness, faults, seed).RunAsync(RoundDuration));
    }

    /// <summary>Each history has servers of its own. What is stored is read from the standby after its promotion.</summary>
    [Test]
    public async Task A_random_history_that_ends_with_the_promotion_of_the_synchronous_standby_breaks_no_promise() =>
        await CheckAsync("synchronous standby", PromotedDatabase, async (faults, seed) =>
        {
            await using var servers = await ReplicatedServers.StartAsync(synchronous: true);
            await using (await CreateDatabaseAsync(servers.Primary, PromotedDatabase))
            {
            }

            // The standby connects again at once.
            await servers.SetStandbyAsync(("wal_retrieve_retry_interval", "50ms"));
            var connectionString = ConnectionString(servers.Primary, PromotedDatabase);
            await using var witnessProxy = new FaultProxy(connectionString);
            await using var witness = witnessProxy.CreateDataSource(connectionString);
            return await new Round(servers.Primary, connectionString, witness, faults, seed, servers, witnessProxy).RunAsync(RoundDuration);
        });

    private static async Task CheckAsync(string name, string database, Func<FaultCounter, int, Task<(History History, StoredState State)>> run)
    {
        var counts = new HistoryCounts();
        using var metrics = new CallbackMeterListener(database, counts.Faults);
        var broken = "";
        var watch = Stopwatch.StartNew();
        for (var seed = Seed; seed == Seed || (broken.Length == 0 && (watch.Elapsed < Duration || (!HaveWorked() && seed - Seed < MostRounds))); seed++)
        {
            TestContext.Out.WriteLine($"seed {seed}");
            var (history, state) = await run(counts.Faults, seed);
            var violations = Judge.Check(history.Operations, state);
            counts.Add(history.Operations, state, violations);
            broken = Explain(violations, seed);
        }

        TestContext.Progress.WriteLine($"checker, {name}, seed {Seed}: {counts}");
        Assert.That(broken, Is.Empty);
        Assert.That(HaveWorked(), "the clients work");

        // On a slow machine that may take several rounds.
        bool HaveWorked() => counts.Acknowledged > 50;
    }

    private static async Task<NpgsqlDataSource> CreateDatabaseAsync(RestartableServer server, string name)
    {
        // The log of transactions is flushed late, so that a crash makes the server give ids out again.
        await server.SetAsync(("wal_writer_delay", "10s"));
        await using (var create = server.DataSource.CreateCommand($"create database {name}"))
        {
            await create.ExecuteNonQueryAsync();
        }

        var witness = NpgsqlDataSource.Create(ConnectionString(server, name));
        await new SchemaMigrator(witness).MigrateAsync();
        foreach (var sql in new[] { TriggerSql, RowSecuritySql })
        {
            await using var command = witness.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }

        return witness;
    }

    private static string ConnectionString(RestartableServer server, string database) =>
        RestartableServer.Patient(new(server.ConnectionString) { Database = database }).ConnectionString;

    /// <summary>Shows the shortest violations of each promise.</summary>
    private static string Explain(IReadOnlyList<Violation> violations, int seed) => violations.Count == 0
        ? ""
        : $"CRAWLDATA_FAULT_SEED={seed}\n" + string.Join("\n", violations.GroupBy(violation => violation.Promise).Select(group =>
            $"{group.Key} {group.Count()} times\n"
            + string.Join("\n", group.OrderBy(violation => violation.Operations.Count).Take(MostShown).Select(violation => $"  {violation}"))));
}

using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Reads;

/// <summary>Lists and events read few pages of the tables, however many rows there are.</summary>
public sealed class ReadCostTests : DashboardTest
{
    private const int Buffers = 60;

    [Test]
    public async Task A_list_or_a_part_of_events_reads_at_most_60_buffers()
    {
        await using (var rows = DataSource.CreateCommand(
            """
            alter table crawl_runs set (autovacuum_enabled = off);
            alter table crawl_events set (autovacuum_enabled = off);
            alter table audit_sessions set (autovacuum_enabled = off);
            insert into crawl_runs (id, status, app_package, goal, created_at)
            select gen_random_uuid(), 'COMPLETED', 'org.example.app', 'goal', now() at time zone 'utc' - number * interval '1 minute'
            from generate_series(1, 5000) as number;
            insert into audit_sessions (id, url, status, mode, retention_policy, crawl_policy_version, config_snapshot, created_at)
            select gen_random_uuid(), 'https://example.org/', 'completed', 'standard', 'standard', '1', '{}', now() - number * interval '1 minute'
            from generate_series(1, 5000) as number
            """))
        {
            await rows.ExecuteNonQueryAsync();
        }

        // Other runs draw 99 of 100 ids. The times do not quite rise, and there is a pause.
        await ExecuteAsync("alter sequence crawl_events_id_seq increment by 100");
        var run = await InsertRunAsync(CrawlStatus.Running);
        var start = DateTimeOffset.UtcNow.AddSeconds(-7_000);
        var pause = start.AddSeconds(3_800);
        var ids = await Events.AppendAsync(run.Id, EventsOf(50_000).Select((one, number) => one with
        {
            CreatedAt = (number < 30_000 ? start : start.AddSeconds(2_000)).AddMilliseconds((100 * number) + (number * 7919 % 1000)),
        }));
        await ExecuteAsync("alter sequence crawl_events_id_seq increment by 1");
        var screens = await InsertRunAsync(CrawlStatus.Running);
        var screenIds = await Events.AppendAsync(
            screens.Id, EventsOf(2_000).Select((one, number) => number % 20 == 0 ? one with { EventType = "screen.captured" } : one));
        await ExecuteAsync("vacuum analyze crawl_events, crawl_runs, audit_sessions");
        var times = new[] { start.AddSeconds(1), start.AddSeconds(2_500.123), pause, start.AddSeconds(6_999) };

        // One connection, so that this test can make the server report what the request's session has read.
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1 });
        await using var host = await DashboardHost.StartAsync(dataSource, options => options.MaxConnections = 1);
        foreach (var address in new[]
        {
            "runs", "runs?status=COMPLETED", "sessions", "sessions?status=completed", $"runs/{run.Id}", $"runs/{run.Id}?order=oldest",
            $"runs/{run.Id}?before={ids[25_000]}", $"runs/{run.Id}?after={ids[25_000]}", $"runs/{run.Id}?at={ids[49_000]}",

            // Without a screen before it, and with one.
            $"runs/{run.Id}/events/{ids[25_000]}", $"runs/{screens.Id}/events/{screenIds[1_999]}",

            // Events that were counted at an earlier look are not counted again.
            $"runs/{run.Id}?tab=stats",

            // Nor are samples looked up again.
            $"runs/{run.Id}?tab=time",
        })
        {
            await AssertCostAsync(host, address, Buffers);
        }

        // The samples that the view over time has read lead to a time. Without them, it is found by look-ups that halve the range of the ids.
        await using var unsampled = await DashboardHost.StartAsync(dataSource, options => options.MaxConnections = 1);
        foreach (var time in times)
        {
            await AssertCostAsync(host, $"runs/{run.Id}?at={Text.Show.Iso(time)}", 50);
            await AssertCostAsync(unsampled, $"runs/{run.Id}?at={Text.Show.Iso(time)}", Buffers + 60);
        }

        await using (var anew = await DashboardHost.StartAsync(dataSource, options => options.MaxConnections = 1))
        {
            var first = await OnceAsync(anew, $"runs/{run.Id}");
            Assert.That(await OnceAsync(anew, $"runs/{run.Id}"), Is.LessThan(first), "the types of the first events are kept");
            var read = await OnceAsync(anew, $"runs/{run.Id}?tab=time");
            TestContext.Out.WriteLine($"{read} buffers: 600 samples");
            Assert.That(read, Is.InRange(600, 2_600));
        }

        // A run that is running costs the look for its last event, and when that is old the look for its heartbeat.
        foreach (var (isSilent, most) in new[] { (false, 5), (true, 15) })
        {
            const int Running = 20;
            var before = await CostOfAsync(host, dataSource, "runs");
            for (var number = 0; number < Running; number++)
            {
                var running = await InsertRunAsync(CrawlStatus.Running);
                await Events.AppendAsync(running.Id, [Event(1) with { CreatedAt = DateTimeOffset.UtcNow.AddHours(isSilent ? -1 : 0) }]);
                await SetStartAsync(running.Id);
            }

            var each = (await CostOfAsync(host, dataSource, "runs") - before) / (double)Running;
            TestContext.Out.WriteLine($"{each} buffers more for each run that is running, silent: {isSilent}");
            Assert.That(each, Is.LessThanOrEqualTo(most));
        }

        // The page of one run looks at that run alone, however many others are silent.
        await AssertCostAsync(host, $"runs/{run.Id}", Buffers);

        async Task<long> OnceAsync(DashboardHost dashboard, string address)
        {
            var before = await ReadCost.CountAsync(DataSource, dataSource);
            await dashboard.GetPageAsync(address);
            return await ReadCost.CountAsync(DataSource, dataSource) - before;
        }

        async Task AssertCostAsync(DashboardHost dashboard, string address, int most)
        {
            var read = await CostOfAsync(dashboard, dataSource, address);
            TestContext.Out.WriteLine($"{read} buffers: {address}");

            Assert.That(read, Is.InRange(1, most), address);
        }
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private Task<long> CostOfAsync(DashboardHost host, NpgsqlDataSource dataSource, string address) =>
        ReadCost.OfAsync(host, DataSource, dataSource, address);

    private async Task SetStartAsync(Guid runId)
    {
        await using var start = DataSource.CreateCommand($"update crawl_runs set started_at = started_at - interval '2 hours' where id = '{runId}'");
        await start.ExecuteNonQueryAsync();
    }
}

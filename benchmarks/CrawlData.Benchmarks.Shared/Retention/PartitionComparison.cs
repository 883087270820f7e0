using System.Diagnostics;
using System.Globalization;
using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks.Retention;

/// <summary>Compares a table of events with a partitioned one: reads, purges of a tenth of the events, and a writer beside a purge. Then it converts the
/// table, beside the writer, too.</summary>
public static class PartitionComparison
{
    private const int Crawls = 1_000;
    private const int OldCrawls = Crawls / 10;

    // Without the second, the server takes a plan for the values of each call for cheaper, and makes it anew.
    private const string GenericPlans = ";Max Auto Prepare=50;Options=-c plan_cache_mode=force_generic_plan";

    private static readonly TimeSpan LongestAlone = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(BenchmarkScale scale)
    {
        await using var plain = await ThrowawayDatabase.StartAsync();
        await using var partitioned = await ThrowawayDatabase.StartAsync();
        var width = scale.PartitionedEvents / 10;
        var options = new EventPartitionerOptions { Width = width, Ahead = 10 + EventPartitionerOptions.DefaultAhead };
        await new EventPartitioner(partitioned.DataSource, options).PartitionAsync();
        var crawls = await FillAsync(plain.DataSource, scale.PartitionedEvents);
        var others = await FillAsync(partitioned.DataSource, scale.PartitionedEvents);
        await CompareReadsAsync(scale, "", plain, crawls, partitioned, others);
        Console.WriteLine($"with {GenericPlans[1..]}");
        await CompareReadsAsync(scale, GenericPlans, plain, crawls, partitioned, others);
        await PurgeAsync("row by row", plain.DataSource, crawls);
        await PurgeAsync("by partition", partitioned.DataSource, others);
        await ConvertAsync(plain.DataSource, crawls[^1]);
    }

    // One crawl after the other. So each tenth of the crawls is a partition.
    private static async Task<IReadOnlyList<Guid>> FillAsync(NpgsqlDataSource dataSource, int events)
    {
        var crawls = await Seed.InsertCrawlsAsync(dataSource, Crawls);
        await Seed.GenerateEventsAsync(dataSource, crawls, events / Crawls, batchPerCrawl: events / Crawls);
        await Seed.ExecuteAsync(dataSource, "update crawl_runs set status = 'RUNNING'");
        return crawls;
    }

    private static async Task CompareReadsAsync(
        BenchmarkScale scale,
        string settings,
        ThrowawayDatabase plain,
        IReadOnlyList<Guid> crawls,
        ThrowawayDatabase partitioned,
        IReadOnlyList<Guid> others)
    {
        await using var one = NpgsqlDataSource.Create(plain.ConnectionString + settings);
        await using var other = NpgsqlDataSource.Create(partitioned.ConnectionString + settings);
        foreach (var (name, make) in Reads())
        {
            var rounds = new InterleavedRounds()
                .Add("a table", await make(new CrawlEventRepository(one), crawls[Crawls / 2]))
                .Add("partitions", await make(new CrawlEventRepository(other), others[Crawls / 2]));
            var measured = await rounds.RunAsync(scale.PartitionRounds);
            Console.WriteLine(
                $"{name}: {string.Join(", ", measured.Select(method => $"{method.Name} {Measurement.Format(method.Median)}"))}, "
                    + $"ratio {measured[1].Median / measured[0].Median:0.00} (minima {measured[1].Times[0] / measured[0].Times[0]:0.00})");
        }
    }

    private static IEnumerable<(string Name, Func<CrawlEventRepository, Guid, Task<Func<Task>>> Make)> Reads()
    {
        yield return ("an append", (events, crawl) => Always(() => events.AppendAsync(crawl, SampleData.MakeEvents(1)[0])));
        yield return ("a page of 1,000 events of a crawl", (events, crawl) => Always(() => events.ListAsync(crawl)));
        yield return ("all events of a crawl", (events, crawl) => Always(async () => await events.StreamAsync(crawl).CountAsync()));
        yield return ("the events after the last of a crawl", AfterLastAsync);
        yield return ("a crawl's last event", (events, crawl) => Always(() => events.GetLastAsync(crawl)));
        yield return ("an event by its id", ByIdAsync);
        yield return ("a page of 1,000 events of all crawls", (events, _) => OfAllAsync(events, fromNewest: false));
        yield return ("the events after the last of all crawls", (events, _) => OfAllAsync(events, fromNewest: true));

        static Task<Func<Task>> Always(Func<Task> read) => Task.FromResult(read);

        static async Task<Func<Task>> AfterLastAsync(CrawlEventRepository events, Guid crawl)
        {
            var filter = new CrawlEventFilter { AfterId = (await events.GetLastAsync(crawl))!.Id };
            return () => events.ListAsync(crawl, filter);
        }

        static async Task<Func<Task>> ByIdAsync(CrawlEventRepository events, Guid crawl)
        {
            var id = (await events.GetLastAsync(crawl))!.Id;
            return () => events.GetAsync(crawl, id);
        }

        static async Task<Func<Task>> OfAllAsync(CrawlEventRepository events, bool fromNewest)
        {
            var cursor = fromNewest ? await events.GetNewestCursorAsync() : (await events.ListAllAsync(limit: 1)).Cursor;
            return () => events.ListAllAsync(cursor);
        }
    }

    private static async Task PurgeAsync(string name, NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls)
    {
        // No crawl has ended yet. This one compiles the code, and drops the empty partition that a conversion leaves.
        await new RetentionPurger(dataSource).PurgeCrawlsAsync(TimeSpan.Zero);

        // What this purge writes is its own. The next has the writer beside it.
        await EndAsync(dataSource, crawls.Take(OldCrawls));
        await Seed.ExecuteAsync(dataSource, "checkpoint");
        var before = await ScalarAsync<decimal>(dataSource, "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')");
        var started = Stopwatch.GetTimestamp();
        var total = await new RetentionPurger(dataSource).PurgeCrawlsAsync(TimeSpan.Zero);
        var time = Stopwatch.GetElapsedTime(started);
        RowCount.Require(OldCrawls, (int)total.Deleted);
        var wal = await ScalarAsync<decimal>(dataSource, "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')") - before;

        // The server's counters lag.
        await Task.Delay(TimeSpan.FromSeconds(2));
        var dead = await ScalarAsync<long>(dataSource, "select sum(n_dead_tup)::bigint from pg_stat_user_tables where relname like 'crawl_events%'");
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"purge of {total.Rows:N0} events {name}: {Measurement.Format(time)}, {wal / 1_048_576:0.00} MB of WAL, {dead:N0} dead rows"));

        var alone = await AppendBesideAsync(dataSource, crawls[^1], () => Task.Delay(time < LongestAlone ? time : LongestAlone));
        await EndAsync(dataSource, crawls.Skip(OldCrawls).Take(OldCrawls));
        var beside = await AppendBesideAsync(dataSource, crawls[^1], () => new RetentionPurger(dataSource).PurgeCrawlsAsync(TimeSpan.Zero));
        Console.WriteLine($"an append beside a purge {name}: {Format(beside)}; alone {Format(alone)}");
    }

    private static async Task ConvertAsync(NpgsqlDataSource dataSource, Guid crawl)
    {
        var events = await ScalarAsync<long>(dataSource, "select count(*) from crawl_events");
        var time = TimeSpan.Zero;
        var beside = await AppendBesideAsync(dataSource, crawl, async () =>
        {
            var started = Stopwatch.GetTimestamp();
            await new EventPartitioner(dataSource).PartitionAsync();
            time = Stopwatch.GetElapsedTime(started);
        });
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"conversion of a table of {events:N0} events: {Measurement.Format(time)}; an append beside it {Format(beside)}"));
    }

    /// <summary>Appends one event after the other while work runs.</summary>
    private static async Task<Measurement> AppendBesideAsync(NpgsqlDataSource dataSource, Guid crawl, Func<Task> work)
    {
        var (events, times, crawlEvent) = (new CrawlEventRepository(dataSource), new List<TimeSpan>(), SampleData.MakeEvents(1)[0]);
        await events.AppendAsync(crawl, crawlEvent);
        var working = Task.Run(work);
        do
        {
            var started = Stopwatch.GetTimestamp();
            await events.AppendAsync(crawl, crawlEvent);
            times.Add(Stopwatch.GetElapsedTime(started));
        }
        while (!working.IsCompleted);

        await working;
        return new Measurement { Name = "append", Times = [.. times.Order()], Bytes = [] };
    }

    private static string Format(Measurement appends) =>
        $"median {Measurement.Format(appends.Median)}, p99 {Measurement.Format(appends.Quantile(0.99))}, slowest {Measurement.Format(appends.Times[^1])}";

    private static Task<int> EndAsync(NpgsqlDataSource dataSource, IEnumerable<Guid> crawls) =>
        Seed.ExecuteAsync(dataSource, "update crawl_runs set status = 'COMPLETED' where id = any ($1)", crawls.ToArray());

    private static async Task<T> ScalarAsync<T>(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        command.CommandTimeout = 0;
        return (T)(await command.ExecuteScalarAsync())!;
    }
}

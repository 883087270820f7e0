using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Measures the steps of a read and of an append on the server alone, and compares them with the whole.</summary>
internal static class Profile
{
    private const string RowsSql = "from crawl_events where crawl_id = current_setting('profile.crawl')::uuid order by crawl_id, id";

    // The server reads the rows and sends none of them.
    private const string FindSql = $"select count(*) from (select id {RowsSql} offset 0) as found";

    private const string WithoutPayloadSql = $"copy (select id, crawl_id, event_type, created_at {RowsSql}) to '/dev/null' (format binary)";

    private const string WithPayloadSql = $"copy (select id, crawl_id, event_type, payload, created_at {RowsSql}) to '/dev/null' (format binary)";

    private const string ExplainReadSql = $"explain (analyze, buffers) select id, crawl_id, event_type, payload, created_at {RowsSql}";

    private const string SourceSql = "create unlogged table source as select crawl_id, event_type, payload::text as payload from crawl_events limit $1";

    private const string TablesSql =
        """
        create table bare (like crawl_events including defaults);
        create table indexed (like crawl_events including defaults including indexes)
        """;

    private const string BareSql = "insert into bare (crawl_id, event_type, payload) select crawl_id, event_type, payload::jsonb from source";

    private const string IndexedSql = "insert into indexed (crawl_id, event_type, payload) select crawl_id, event_type, payload::jsonb from source";

    private const string WholeSql = "insert into crawl_events (crawl_id, event_type, payload) select crawl_id, event_type, payload::jsonb from source";

    private const string ExplainAppendSql = $"explain (analyze, buffers, wal) {WholeSql}";

    private const string LockedInsertSql =
        """
        insert into crawl_events (crawl_id, event_type, payload)
        select id, $2, $3 from (select id from crawl_runs where id = $1 for no key update) as run
        returning id
        """;

    private const int SingleAppends = 200;

    public static async Task<ProfileResult> RunAsync(BenchmarkScale scale)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var crawls = await Seed.InsertCrawlsAsync(database.DataSource, 10);
        await Seed.GenerateEventsAsync(database.DataSource, crawls, scale.EventsPerCrawl, Seed.WriterBatchPerCrawl);

        // COPY takes no parameters.
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(database.ConnectionString) { Options = $"-c profile.crawl={crawls[5]}" });
        await Seed.ExecuteAsync(dataSource, SourceSql, scale.EventsPerCrawl);
        await Seed.ExecuteAsync(dataSource, TablesSql);
        var repository = new CrawlEventRepository(dataSource);
        var events = SampleData.MakeEvents(scale.EventsPerCrawl);

        var read = await new InterleavedRounds()
            .Add("the server finds the rows", () => Seed.ExecuteAsync(dataSource, FindSql))
            .Add("and encodes them without the payloads", () => Seed.ExecuteAsync(dataSource, WithoutPayloadSql))
            .Add("and encodes the payloads, from jsonb to text", () => Seed.ExecuteAsync(dataSource, WithPayloadSql))
            .Add("ListAsync, complete", () => repository.ListAsync(crawls[5], pageSize: CrawlEventRepository.MaxPageSize))
            .RunAsync(scale.Rounds);
        var readPlan = await ExplainAsync(dataSource, ExplainReadSql);
        var append = await new InterleavedRounds()
            .Add("the server parses the payloads and stores the rows", () => Seed.ExecuteAsync(dataSource, BareSql))
            .Add("and maintains both indexes", () => Seed.ExecuteAsync(dataSource, IndexedSql))
            .Add("and checks the foreign key", () => Seed.ExecuteAsync(dataSource, WholeSql))
            .Add("AppendAsync, complete", () => repository.AppendAsync(crawls[4], events))
            .RunAsync(scale.AppendRounds);
        await using var writer = new CrawlEventWriter(repository);
        var single = await new InterleavedRounds()
            .Add("INSERT by hand", () => RepeatAsync(number => HandWritten.InsertAsync(dataSource, crawls[3], events[number])))
            .Add("in a transaction, to verify a lost COMMIT", () => RepeatAsync(number =>
                HandWritten.InsertInTransactionAsync(dataSource, crawls[3], events[number])))
            .Add("and with the crawl's lock, for ids in commit order", () => RepeatAsync(number =>
                HandWritten.InsertInTransactionAsync(dataSource, crawls[3], events[number], LockedInsertSql)))
            .Add("AppendAsync, complete", () => RepeatAsync(number => repository.AppendAsync(crawls[3], events[number])))
            .Add("the writer's AppendAsync, complete", () => RepeatAsync(number => writer.AppendAsync(crawls[3], events[number])))
            .RunAsync(scale.AppendRounds);
        return new ProfileResult
        {
            Read = read,
            Append = append,
            Single = single,
            SingleAppends = SingleAppends,
            ReadPlan = readPlan,
            AppendPlan = await ExplainAsync(dataSource, ExplainAppendSql),
        };
    }

    private static async Task RepeatAsync(Func<int, Task> append)
    {
        for (var number = 0; number < SingleAppends; number++)
        {
            await append(number);
        }
    }

    private static async Task<string> ExplainAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var lines = new List<string>();
        while (await reader.ReadAsync())
        {
            lines.Add(reader.GetString(0));
        }

        return string.Join('\n', lines);
    }
}

using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Where the time of a read and of an append goes: what the server does by itself, piece by piece, beside the whole.</summary>
internal static class Profile
{
    private const string RowsSql = "from crawl_events where crawl_id = current_setting('profile.crawl')::uuid order by crawl_id, id";

    // Nobody receives what the server makes of the rows.
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

    private const string InsertSql = "insert into crawl_events (crawl_id, event_type, payload) values ($1, $2, $3) returning id";

    private const string LockedInsertSql =
        """
        insert into crawl_events (crawl_id, event_type, payload)
        select id, $2, $3 from (select id from crawl_runs where id = $1 for no key update) as run
        returning id
        """;

    private const int Singles = 200;

    public static async Task<ProfileResult> RunAsync(Extent extent)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var crawls = await Seed.CrawlsAsync(database.DataSource, 10);
        await Seed.EventsAsync(database.DataSource, crawls, 10L * extent.EventsPerCrawl, Seed.BatchOfCrawl);

        // COPY takes no parameters.
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(database.ConnectionString) { Options = $"-c profile.crawl={crawls[5]}" });
        await using (var source = dataSource.CreateCommand(SourceSql))
        {
            source.Parameters.Add(new NpgsqlParameter<int> { TypedValue = extent.EventsPerCrawl });
            await source.ExecuteNonQueryAsync();
        }

        await ExecuteAsync(dataSource, TablesSql);
        var repository = new CrawlEventRepository(dataSource);
        var events = DatabaseBenchmark.MakeEvents(extent.EventsPerCrawl);

        var read = await new Interleaved()
            .Add("the server finds the rows", () => ExecuteAsync(dataSource, FindSql))
            .Add("and makes them ready to send, but for the payloads", () => ExecuteAsync(dataSource, WithoutPayloadSql))
            .Add("and with the payloads, from jsonb to text", () => ExecuteAsync(dataSource, WithPayloadSql))
            .Add("all of it, ListAsync", () => repository.ListAsync(crawls[5], pageSize: CrawlEventRepository.MaxPageSize))
            .RunAsync(extent.Rounds);
        var readPlan = await ExplainAsync(dataSource, ExplainReadSql);
        var append = await new Interleaved()
            .Add("the server parses the payloads and stores the rows", () => ExecuteAsync(dataSource, BareSql))
            .Add("and keeps both indexes", () => ExecuteAsync(dataSource, IndexedSql))
            .Add("and checks the foreign key", () => ExecuteAsync(dataSource, WholeSql))
            .Add("all of it, AppendAsync", () => repository.AppendAsync(crawls[4], events))
            .RunAsync(extent.AppendRounds);
        await using var writer = new CrawlEventWriter(repository);
        var single = await new Interleaved()
            .Add("INSERT by hand", () => RepeatAsync(number => InsertAsync(dataSource, crawls[3], events[number])))
            .Add("in a transaction, as settling a lost COMMIT needs", () => RepeatAsync(number => InsertAsync(dataSource, InsertSql, crawls[3], events[number])))
            .Add("and behind the crawl's lock, as order needs", () => RepeatAsync(number => InsertAsync(dataSource, LockedInsertSql, crawls[3], events[number])))
            .Add("all of it, AppendAsync", () => RepeatAsync(number => repository.AppendAsync(crawls[3], events[number])))
            .Add("all of it, by the writer's AppendAsync", () => RepeatAsync(number => writer.AppendAsync(crawls[3], events[number])))
            .RunAsync(extent.AppendRounds);
        return new ProfileResult
        {
            Read = read,
            Append = append,
            Single = single,
            Singles = Singles,
            ReadPlan = readPlan,
            AppendPlan = await ExplainAsync(dataSource, ExplainAppendSql),
        };
    }

    private static async Task RepeatAsync(Func<int, Task> append)
    {
        for (var number = 0; number < Singles; number++)
        {
            await append(number);
        }
    }

    private static async Task InsertAsync(NpgsqlDataSource dataSource, Guid crawl, NewCrawlEvent crawlEvent)
    {
        await using var insert = dataSource.CreateCommand(InsertSql);
        AddParameters(insert, crawl, crawlEvent);
        await insert.ExecuteScalarAsync();
    }

    private static async Task InsertAsync(NpgsqlDataSource dataSource, string sql, Guid crawl, NewCrawlEvent crawlEvent)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var insert = new NpgsqlCommand(sql, connection, transaction);
        AddParameters(insert, crawl, crawlEvent);
        await insert.ExecuteScalarAsync();
        await transaction.CommitAsync();
    }

    private static void AddParameters(NpgsqlCommand insert, Guid crawl, NewCrawlEvent crawlEvent)
    {
        insert.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = crawlEvent.EventType, NpgsqlDbType = NpgsqlDbType.Varchar });
        insert.Parameters.Add(new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = crawlEvent.Payload.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
    }

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
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

/// <summary>What the pieces of a read and of an append took, each with those before it, and how the server went about them.</summary>
internal sealed record ProfileResult
{
    public required IReadOnlyList<Measured> Read { get; init; }

    public required IReadOnlyList<Measured> Append { get; init; }

    /// <summary>So many single events, one after the other.</summary>
    public required IReadOnlyList<Measured> Single { get; init; }

    public required int Singles { get; init; }

    public required string ReadPlan { get; init; }

    public required string AppendPlan { get; init; }
}

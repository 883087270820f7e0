using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Benchmarks;

/// <summary>Fills databases with rows for the benchmarks.</summary>
public static class Seed
{
    /// <summary>The number of a crawl's events that a writer stores next to each other in a full flush, when 100 crawls share the writer.</summary>
    public const int WriterBatchPerCrawl = 100;

    private const int RowsPerStatement = 500_000;

    // The payload equals that of SampleData.MakeEvents.
    private const string GenerateEventsSql =
        $$"""
        insert into crawl_events (crawl_id, event_type, payload, created_at)
        select ($1::uuid[])[1 + row / $2 % cardinality($1::uuid[])],
               case when number % 10 = 1 then '{{SampleData.RareEventType}}' else '{{SampleData.EventType}}' end,
               jsonb_build_object(
                   'step', number, 'index', number % 40, 'kind', 'link', 'href', 'https://docs.example.org/page-' || number || '.html',
                   'text', repeat('x', 140), 'fresh', true),
               $3 + (number - 1) * interval '1 millisecond'
        from generate_series($4::bigint, $5::bigint - 1) as row
        cross join lateral (select row / ($2 * cardinality($1::uuid[])) * $2 + row % $2 + 1) as of_crawl (number)
        order by row
        """;

    /// <summary>Starts a database and stores crawls one after the other, each with the same number of events.</summary>
    public static async Task<ThrowawayDatabase> StartDatabaseAsync(int crawls, int eventsPerCrawl)
    {
        var database = await ThrowawayDatabase.StartAsync();
        await GenerateEventsAsync(database.DataSource, await InsertCrawlsAsync(database.DataSource, crawls), eventsPerCrawl, batchPerCrawl: eventsPerCrawl);
        return database;
    }

    /// <summary>Inserts crawl runs through the repository.</summary>
    public static async Task<IReadOnlyList<Guid>> InsertCrawlsAsync(NpgsqlDataSource dataSource, int count)
    {
        var runs = new CrawlRunRepository(dataSource);
        var ids = new List<Guid>();
        while (ids.Count < count)
        {
            ids.Add((await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id);
        }

        return ids;
    }

    /// <summary>Inserts a queued session through the repository.</summary>
    public static async Task<Guid> InsertSessionAsync(NpgsqlDataSource dataSource) =>
        (await new AuditSessionRepository(dataSource).InsertAsync(new NewAuditSession
        {
            Url = "https://example.org/",
            CrawlPolicyVersion = "2026.11",
            ConfigSnapshot = Jsonb.From(new { timeout_ms = 5_000 }),
        })).Id;

    /// <summary>Has the server generate the crawls' events, in batches round-robin over the crawls.</summary>
    /// <param name="dataSource">The database.</param>
    /// <param name="crawls">The crawls.</param>
    /// <param name="eventsPerCrawl">The number of events of each crawl, a multiple of <paramref name="batchPerCrawl"/>.</param>
    /// <param name="batchPerCrawl">The number of a crawl's events that are stored next to each other.</param>
    public static async Task GenerateEventsAsync(NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls, int eventsPerCrawl, int batchPerCrawl)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(eventsPerCrawl % batchPerCrawl, 0, nameof(batchPerCrawl));
        var rows = (long)crawls.Count * eventsPerCrawl;
        for (long first = 0; first < rows; first += RowsPerStatement)
        {
            await using var insert = dataSource.CreateCommand(GenerateEventsSql);
            insert.CommandTimeout = 0;
            insert.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. crawls], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid });
            insert.Parameters.Add(new NpgsqlParameter<int> { TypedValue = batchPerCrawl });
            insert.Parameters.Add(new NpgsqlParameter<DateTime>
            {
                TypedValue = DateTime.SpecifyKind(SampleData.Start.UtcDateTime, DateTimeKind.Unspecified),
                NpgsqlDbType = NpgsqlDbType.Timestamp,
            });
            insert.Parameters.Add(new NpgsqlParameter<long> { TypedValue = first });
            insert.Parameters.Add(new NpgsqlParameter<long> { TypedValue = Math.Min(first + RowsPerStatement, rows) });
            await insert.ExecuteNonQueryAsync();
        }

        await VacuumAsync(dataSource);
    }

    /// <summary>Vacuums and analyzes, so that no benchmark pays for writes that its reads would otherwise cause.</summary>
    public static Task VacuumAsync(NpgsqlDataSource dataSource) => ExecuteAsync(dataSource, "vacuum analyze");

    /// <summary>Executes a statement without a time limit.</summary>
    /// <returns>The number of rows that it wrote.</returns>
    public static async Task<int> ExecuteAsync(NpgsqlDataSource dataSource, string sql, params object[] values)
    {
        await using var command = dataSource.CreateCommand(sql);
        command.CommandTimeout = 0;
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return await command.ExecuteNonQueryAsync();
    }
}

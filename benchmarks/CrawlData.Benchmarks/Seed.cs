using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks;

/// <summary>Databases with rows to read, and what the rows are made of.</summary>
public static class Seed
{
    /// <summary>When a crawl's first event happened; each of the next happened a millisecond later.</summary>
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>The type of every tenth event.</summary>
    public const string RareEventType = "step.navigated";

    private const int BatchSize = 10_000;

    /// <summary>Starts a database with crawls of so many events each.</summary>
    public static async Task<ThrowawayDatabase> EventsAsync(int crawls, int eventsEach)
    {
        var database = await ThrowawayDatabase.StartAsync();
        var events = new CrawlEventRepository(database.DataSource);
        var ofCrawl = DatabaseBenchmark.MakeEvents(Math.Min(eventsEach, BatchSize));
        foreach (var crawl in await RunsAsync(database.DataSource, crawls))
        {
            for (var first = 0; first < eventsEach; first += BatchSize)
            {
                await events.AppendAsync(crawl, ofCrawl.Take(eventsEach - first).Select((crawlEvent, index) => crawlEvent with
                {
                    EventType = index % 10 == 0 ? RareEventType : crawlEvent.EventType,
                    CreatedAt = Start.AddMilliseconds(first + index),
                }));
            }
        }

        await ExecuteAsync(database.DataSource, "vacuum analyze");
        return database;
    }

    /// <summary>Creates runs, through the repository.</summary>
    public static async Task<IReadOnlyList<Guid>> RunsAsync(NpgsqlDataSource dataSource, int count)
    {
        var runs = new CrawlRunRepository(dataSource);
        var ids = new List<Guid>();
        while (ids.Count < count)
        {
            ids.Add((await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id);
        }

        return ids;
    }

    /// <summary>Enqueues a session, through the repository.</summary>
    public static async Task<Guid> SessionAsync(NpgsqlDataSource dataSource) => (await new AuditSessionRepository(dataSource).InsertAsync(new NewAuditSession
    {
        Url = "https://example.org/",
        CrawlPolicyVersion = "2026.11",
        ConfigSnapshot = Jsonb.From(new { timeout_ms = 5_000 }),
    })).Id;

    public static NewCrawlLog[] MakeLines(int count) =>
    [
        .. Enumerable.Range(1, count).Select(number => new NewCrawlLog
        {
            EventType = CrawlLogEventType.Navigation,
            Message = $"opening https://docs.example.org/page-{number}.html",
            Details = Jsonb.From(new { step = number, load_ms = number % 1_000 }),
            Timestamp = Start.AddMilliseconds(number),
        }),
    ];

    /// <summary>Runs a statement, however long it takes.</summary>
    /// <returns>How many rows it wrote.</returns>
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

using CrawlData.Crawls;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Lays events down on the server, with payloads like those of <see cref="DatabaseBenchmark.MakeEvents"/>.</summary>
internal static class Seed
{
    /// <summary>How many events of a crawl lie side by side after a full flush of a writer to whom 100 crawls write.</summary>
    public const int BatchOfCrawl = 100;

    private const int RowsPerStatement = 500_000;

    private const string EventsSql =
        """
        insert into crawl_events (crawl_id, event_type, payload)
        select ($1::uuid[])[1 + number / $2 % cardinality($1::uuid[])],
               'element.found',
               jsonb_build_object(
                   'step', number, 'index', number % 40, 'kind', 'link', 'href', 'https://docs.example.org/page-' || number || '.html',
                   'text', repeat('x', 140), 'fresh', true)
        from generate_series($3::bigint, $4::bigint - 1) as number
        order by number
        """;

    private const string VacuumSql = """vacuum analyze""";

    public static async Task<IReadOnlyList<Guid>> CrawlsAsync(NpgsqlDataSource dataSource, int count)
    {
        var runs = new CrawlRunRepository(dataSource);
        var crawls = new List<Guid>();
        for (var crawl = 0; crawl < count; crawl++)
        {
            crawls.Add((await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id);
        }

        return crawls;
    }

    /// <summary>Lays events of these crawls down in turns.</summary>
    /// <param name="dataSource">The database.</param>
    /// <param name="crawls">The crawls.</param>
    /// <param name="events">How many events of all crawls.</param>
    /// <param name="sideBySide">How many of a crawl in each turn.</param>
    public static async Task EventsAsync(NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls, long events, int sideBySide)
    {
        for (long from = 0; from < events; from += RowsPerStatement)
        {
            await using var insert = dataSource.CreateCommand(EventsSql);
            insert.CommandTimeout = 0;
            insert.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. crawls], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid });
            insert.Parameters.Add(new NpgsqlParameter<int> { TypedValue = sideBySide });
            insert.Parameters.Add(new NpgsqlParameter<long> { TypedValue = from });
            insert.Parameters.Add(new NpgsqlParameter<long> { TypedValue = Math.Min(from + RowsPerStatement, events) });
            await insert.ExecuteNonQueryAsync();
        }

        await SettleAsync(dataSource);
    }

    /// <summary>As after a while of rest: what reads would otherwise write is written.</summary>
    public static async Task SettleAsync(NpgsqlDataSource dataSource)
    {
        await using var vacuum = dataSource.CreateCommand(VacuumSql);
        vacuum.CommandTimeout = 0;
        await vacuum.ExecuteNonQueryAsync();
    }
}

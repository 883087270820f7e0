using CrawlData.Crawls;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal sealed class CopyPeer(NpgsqlDataSource dataSource) : Peer
{
    public const string In = "COPY by hand, no ids";
    public const string Out = "COPY by hand";

    // COPY takes no parameters.
    private const string CrawlSql = """select set_config('benchmark.crawl', $1, false)""";

    private const string OutSql =
        """
        copy (
            select id, crawl_id, event_type, payload, created_at
            from crawl_events
            where crawl_id = current_setting('benchmark.crawl')::uuid
            order by crawl_id, id
        ) to stdout (format binary)
        """;

    private const string InSql = """copy crawl_events (crawl_id, event_type, payload) from stdin (format binary)""";

    public override string Name => "binary COPY by hand";

    public override string Difference =>
        "One COPY is one transaction, but gives no ids back, promises no order of commits, and may be stored twice when it is tried again.";

    public override IReadOnlyList<Type> Packages => [typeof(NpgsqlDataSource)];

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) => [(Out, () => ReadAsync(crawl))];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events) =>
        [(In, () => AppendAsync(crawl, events))];

    private async Task<int> ReadAsync(Guid crawl)
    {
        var read = new List<(long, Guid, string, byte[], DateTime)>();
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var set = new NpgsqlCommand(CrawlSql, connection);
        set.Parameters.Add(new NpgsqlParameter<string> { TypedValue = crawl.ToString() });
        await set.ExecuteNonQueryAsync();
        await using var exporter = await connection.BeginBinaryExportAsync(OutSql);
        while (await exporter.StartRowAsync() != -1)
        {
            read.Add((
                await exporter.ReadAsync<long>(NpgsqlDbType.Bigint),
                await exporter.ReadAsync<Guid>(NpgsqlDbType.Uuid),
                await exporter.ReadAsync<string>(NpgsqlDbType.Varchar),
                await exporter.ReadAsync<byte[]>(NpgsqlDbType.Jsonb),
                await exporter.ReadAsync<DateTime>(NpgsqlDbType.Timestamp)));
        }

        return read.Count;
    }

    private async Task AppendAsync(Guid crawl, NewCrawlEvent[] events)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var importer = await connection.BeginBinaryImportAsync(InSql);
        foreach (var crawlEvent in events)
        {
            await importer.StartRowAsync();
            await importer.WriteAsync(crawl, NpgsqlDbType.Uuid);
            await importer.WriteAsync(crawlEvent.EventType, NpgsqlDbType.Varchar);
            await importer.WriteAsync(crawlEvent.Payload.Utf8, NpgsqlDbType.Jsonb);
        }

        await importer.CompleteAsync();
    }
}

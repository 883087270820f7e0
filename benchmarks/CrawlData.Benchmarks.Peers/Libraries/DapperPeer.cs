using CrawlData.Crawls;
using Dapper;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal sealed class DapperPeer(NpgsqlDataSource dataSource) : Peer
{
    // Dapper matches column names to property names and ignores case.
    private const string ReadSql =
        """
        select id, crawl_id as crawlid, event_type as eventtype, payload, created_at as createdat
        from crawl_events
        where crawl_id = @crawlid
        order by crawl_id, id
        """;

    private const string InsertSql = """insert into crawl_events (crawl_id, event_type, payload) values (@crawlid, @eventtype, @payload::jsonb)""";

    public override string Name => "Dapper";

    public override string Difference =>
        "A list is inserted row by row, with a round trip each. It is one transaction only if the caller opens one. "
        + "It returns no ids, and concurrent writers to a crawl may commit ids out of order. A retry after a lost COMMIT may store the events twice.";

    public override IReadOnlyList<Type> Packages => [typeof(SqlMapper)];

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) => [("Dapper QueryAsync", () => ReadAsync(crawl))];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events)
    {
        InsertRow[] rows = [.. events.Select(one => new InsertRow(crawl, one.EventType, one.Payload.ToString()))];
        return [("Dapper ExecuteAsync(list), no ids", () => AppendAsync(rows))];
    }

    private async Task<int> ReadAsync(Guid crawl)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        return (await connection.QueryAsync<ReadRow>(ReadSql, new { crawlid = crawl })).AsList().Count;
    }

    private async Task AppendAsync(InsertRow[] rows)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync(InsertSql, rows, transaction);
        await transaction.CommitAsync();
    }

    private sealed record InsertRow(Guid CrawlId, string EventType, string Payload);

    private sealed record ReadRow(long Id, Guid CrawlId, string EventType, string Payload, DateTime CreatedAt);
}

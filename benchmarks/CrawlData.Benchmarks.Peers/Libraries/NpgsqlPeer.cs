using CrawlData.Crawls;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Benchmarks.Peers.Libraries;

internal sealed class NpgsqlPeer(NpgsqlDataSource dataSource) : Peer
{
    public const string Reader = "Npgsql by hand";
    public const string Insert = "INSERT by hand";

    private const string ReadSql =
        """
        select id, crawl_id, event_type, payload, created_at
        from crawl_events
        where crawl_id = $1
        order by crawl_id, id
        """;

    private const string InsertOneSql = """insert into crawl_events (crawl_id, event_type, payload) values ($1, $2, $3) returning id""";

    private const string InsertSql =
        """
        insert into crawl_events (crawl_id, event_type, payload)
        select $1, event_type, payload
        from unnest($2, $3) with ordinality as events (event_type, payload, position)
        order by position
        returning id
        """;

    public override string Name => "Npgsql by hand";

    public override string Difference =>
        "One INSERT is one transaction and gives ids back, but takes no lock, so ids of those who write to a crawl at once may be committed out of order, "
        + "and whoever tries a lost commit again may store it twice.";

    public override IReadOnlyList<Type> Packages => [typeof(NpgsqlDataSource)];

    public override IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl) => [(Reader, () => ReadAsync(crawl))];

    public override IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events)
    {
        string[] types = [.. events.Select(one => one.EventType)];
        string[] payloads = [.. events.Select(one => one.Payload.ToString())];
        return [(Insert, events is [var only] ? () => InsertOneAsync(crawl, only) : () => InsertAsync(crawl, types, payloads))];
    }

    private async Task<int> ReadAsync(Guid crawl)
    {
        var read = new List<(long, Guid, string, byte[], DateTime)>();
        await using var command = dataSource.CreateCommand(ReadSql);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            read.Add((reader.GetInt64(0), reader.GetGuid(1), reader.GetString(2), reader.GetFieldValue<byte[]>(3), reader.GetDateTime(4)));
        }

        return read.Count;
    }

    private async Task InsertOneAsync(Guid crawl, NewCrawlEvent crawlEvent)
    {
        await using var insert = dataSource.CreateCommand(InsertOneSql);
        insert.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = crawlEvent.EventType, NpgsqlDbType = NpgsqlDbType.Varchar });
        insert.Parameters.Add(new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = crawlEvent.Payload.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
        await insert.ExecuteScalarAsync();
    }

    private async Task InsertAsync(Guid crawl, string[] types, string[] payloads)
    {
        await using var insert = dataSource.CreateCommand(InsertSql);
        insert.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        insert.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = types, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Varchar });
        insert.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = payloads, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Jsonb });
        var ids = new List<long>(types.Length);
        await using var reader = await insert.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            ids.Add(reader.GetInt64(0));
        }
    }
}

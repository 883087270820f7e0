using CrawlData.Crawls;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Benchmarks;

/// <summary>The baselines: the same work with Npgsql alone and statements written by hand.</summary>
public static class HandWritten
{
    /// <summary>Reads a crawl's events in their order; its parameter is the crawl.</summary>
    public const string ReadEventsSql =
        """
        select id, crawl_id, event_type, payload, created_at
        from crawl_events
        where crawl_id = $1
        order by crawl_id, id
        """;

    private const string InsertSql = "insert into crawl_events (crawl_id, event_type, payload) values ($1, $2, $3) returning id";

    private const string InsertManySql =
        """
        insert into crawl_events (crawl_id, event_type, payload)
        select $1, event_type, payload
        from unnest($2, $3) with ordinality as events (event_type, payload, position)
        order by position
        returning id
        """;

    private const string CopyInSql = "copy crawl_events (crawl_id, event_type, payload) from stdin (format binary)";

    // COPY takes no parameters.
    private const string SetCrawlSql = "select set_config('benchmark.crawl', $1, false)";

    private const string CopyOutSql =
        """
        copy (
            select id, crawl_id, event_type, payload, created_at
            from crawl_events
            where crawl_id = current_setting('benchmark.crawl')::uuid
            order by crawl_id, id
        ) to stdout (format binary)
        """;

    /// <summary>Reads rows with positional parameters and passes each to <paramref name="use"/>.</summary>
    /// <returns>The number of rows.</returns>
    public static async Task<int> ReadAsync<T>(NpgsqlDataSource dataSource, string sql, Func<NpgsqlDataReader, T> read, Action<T> use, params object[] values)
    {
        await using var command = dataSource.CreateCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        var rows = 0;
        await using var reader = await command.ExecuteReaderAsync();
        for (; await reader.ReadAsync(); rows++)
        {
            use(read(reader));
        }

        return rows;
    }

    /// <summary>Maps the columns of <see cref="ReadEventsSql"/>.</summary>
    public static (long Id, Guid CrawlId, string EventType, byte[] Payload, DateTime CreatedAt) ReadEvent(NpgsqlDataReader reader) =>
        (reader.GetInt64(0), reader.GetGuid(1), reader.GetString(2), reader.GetFieldValue<byte[]>(3), reader.GetDateTime(4));

    /// <summary>Reads a crawl's events into a list.</summary>
    /// <returns>The number of events.</returns>
    public static Task<int> ListEventsAsync(NpgsqlDataSource dataSource, Guid crawl)
    {
        var events = new List<(long, Guid, string, byte[], DateTime)>();
        return ReadAsync(dataSource, ReadEventsSql, ReadEvent, events.Add, crawl);
    }

    /// <summary>Reads a crawl's events into a list by binary COPY.</summary>
    /// <returns>The number of events.</returns>
    public static async Task<int> CopyEventsOutAsync(NpgsqlDataSource dataSource, Guid crawl)
    {
        var events = new List<(long, Guid, string, byte[], DateTime)>();
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var set = new NpgsqlCommand(SetCrawlSql, connection);
        set.Parameters.Add(new NpgsqlParameter<string> { TypedValue = crawl.ToString() });
        await set.ExecuteNonQueryAsync();
        await using var exporter = await connection.BeginBinaryExportAsync(CopyOutSql);
        while (await exporter.StartRowAsync() != -1)
        {
            events.Add((
                await exporter.ReadAsync<long>(NpgsqlDbType.Bigint),
                await exporter.ReadAsync<Guid>(NpgsqlDbType.Uuid),
                await exporter.ReadAsync<string>(NpgsqlDbType.Varchar),
                await exporter.ReadAsync<byte[]>(NpgsqlDbType.Jsonb),
                await exporter.ReadAsync<DateTime>(NpgsqlDbType.Timestamp)));
        }

        return events.Count;
    }

    /// <summary>Inserts and commits an event, and reads its id.</summary>
    public static async Task InsertAsync(NpgsqlDataSource dataSource, Guid crawl, NewCrawlEvent crawlEvent)
    {
        await using var insert = dataSource.CreateCommand(InsertSql);
        AddParameters(insert, crawl, crawlEvent);
        await insert.ExecuteScalarAsync();
    }

    /// <summary>Inserts and commits an event by a statement that is prepared on the session, and reads its id.</summary>
    public static async Task InsertPreparedAsync(NpgsqlDataSource dataSource, Guid crawl, NewCrawlEvent crawlEvent)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var insert = new NpgsqlCommand(InsertSql, connection);
        AddParameters(insert, crawl, crawlEvent);
        await insert.PrepareAsync();
        await insert.ExecuteScalarAsync();
    }

    /// <summary>Inserts an event in an explicit transaction, and reads its id.</summary>
    /// <param name="dataSource">The database.</param>
    /// <param name="crawl">The crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="sql">The INSERT, if it is not the plain one. Its parameters are the crawl, the event's type and its payload.</param>
    public static async Task InsertInTransactionAsync(NpgsqlDataSource dataSource, Guid crawl, NewCrawlEvent crawlEvent, string sql = InsertSql)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var insert = new NpgsqlCommand(sql, connection, transaction);
        AddParameters(insert, crawl, crawlEvent);
        await insert.ExecuteScalarAsync();
        await transaction.CommitAsync();
    }

    /// <summary>Inserts an event in an explicit transaction by a statement that is prepared on the session, and reads its id.</summary>
    public static async Task InsertPreparedInTransactionAsync(NpgsqlDataSource dataSource, Guid crawl, NewCrawlEvent crawlEvent)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var insert = new NpgsqlCommand(InsertSql, connection, transaction);
        AddParameters(insert, crawl, crawlEvent);
        await insert.PrepareAsync();
        await insert.ExecuteScalarAsync();
        await transaction.CommitAsync();
    }

    /// <summary>Inserts events by one statement, and reads their ids.</summary>
    public static async Task InsertManyAsync(NpgsqlDataSource dataSource, Guid crawl, string[] eventTypes, string[] payloads)
    {
        await using var insert = dataSource.CreateCommand(InsertManySql);
        insert.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        insert.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = eventTypes, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Varchar });
        insert.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = payloads, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Jsonb });
        var ids = new List<long>(eventTypes.Length);
        await using var reader = await insert.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            ids.Add(reader.GetInt64(0));
        }
    }

    /// <summary>Copies events without reading their ids, round-robin over the crawls.</summary>
    public static async Task CopyEventsInAsync(NpgsqlDataSource dataSource, NewCrawlEvent[] events, params IReadOnlyList<Guid> crawls)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var importer = await connection.BeginBinaryImportAsync(CopyInSql);
        for (var number = 0; number < events.Length; number++)
        {
            await importer.StartRowAsync();
            await importer.WriteAsync(crawls[number % crawls.Count], NpgsqlDbType.Uuid);
            await importer.WriteAsync(events[number].EventType, NpgsqlDbType.Varchar);
            await importer.WriteAsync(events[number].Payload.Utf8, NpgsqlDbType.Jsonb);
        }

        await importer.CompleteAsync();
    }

    private static void AddParameters(NpgsqlCommand insert, Guid crawl, NewCrawlEvent crawlEvent)
    {
        insert.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawl });
        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = crawlEvent.EventType, NpgsqlDbType = NpgsqlDbType.Varchar });
        insert.Parameters.Add(new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = crawlEvent.Payload.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
    }
}

using CrawlData.Benchmarks.Crawls;
using CrawlData.Crawls;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Benchmarks;

/// <summary>The suites' baselines: the same work by statements written by hand, with Npgsql alone.</summary>
public static class HandWritten
{
    /// <summary>Reads rows; each parameter is known by its position.</summary>
    /// <returns>How many rows there were.</returns>
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

    /// <summary>Inserts events one by one, each committed with its id back, by several producers at once.</summary>
    public static Task InsertAsync(NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers) =>
        Producing.ProduceAsync(producers, events.Length, async number =>
        {
            await using var insert = dataSource.CreateCommand("insert into crawl_events (crawl_id, event_type, payload) values ($1, $2, $3) returning id");
            insert.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = crawls[number % crawls.Count] });
            insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = events[number].EventType, NpgsqlDbType = NpgsqlDbType.Varchar });
            insert.Parameters.Add(new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = events[number].Payload.Utf8, NpgsqlDbType = NpgsqlDbType.Jsonb });
            await insert.ExecuteScalarAsync();
        });

    /// <summary>Copies events, to the crawls in turns, without their ids.</summary>
    public static async Task CopyAsync(NpgsqlDataSource dataSource, NewCrawlEvent[] events, params IReadOnlyList<Guid> crawls)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var importer = await connection.BeginBinaryImportAsync("copy crawl_events (crawl_id, event_type, payload) from stdin (format binary)");
        for (var number = 0; number < events.Length; number++)
        {
            await importer.StartRowAsync();
            await importer.WriteAsync(crawls[number % crawls.Count], NpgsqlDbType.Uuid);
            await importer.WriteAsync(events[number].EventType, NpgsqlDbType.Varchar);
            await importer.WriteAsync(events[number].Payload.Utf8, NpgsqlDbType.Jsonb);
        }

        await importer.CompleteAsync();
    }
}

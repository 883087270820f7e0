using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>What is stored at the end of a history, read with plain SQL.</summary>
internal sealed class StoredState
{
    public List<StoredRow> Events { get; } = [];

    public List<StoredRow> Lines { get; } = [];

    public Dictionary<Guid, string> Runs { get; } = [];

    public Dictionary<Guid, (string Status, int Attempts)> Sessions { get; } = [];

    /// <summary>The artifacts, and whether they are marked as deleted.</summary>
    public Dictionary<Guid, bool> Artifacts { get; } = [];

    /// <summary>Whether it is read from a standby that was promoted. What nobody acknowledged may then be missing, though a reader has seen it.</summary>
    public bool IsPromoted { get; init; }

    public static async Task<StoredState> ReadAsync(NpgsqlDataSource dataSource, bool isPromoted = false)
    {
        var state = new StoredState { IsPromoted = isPromoted };
        await ReadAsync(
            dataSource,
            "select crawl_id, id, (payload->>'client')::int, (payload->>'number')::int from crawl_events order by id",
            row => state.Events.Add(Row(row)));
        await ReadAsync(
            dataSource,
            "select session_id, id, (details->>'client')::int, (details->>'number')::int from crawl_logs where details ? 'client' order by id",
            row => state.Lines.Add(Row(row)));
        await ReadAsync(dataSource, "select id, status::text from crawl_runs", row => state.Runs.Add(row.GetGuid(0), row.GetString(1)));
        await ReadAsync(
            dataSource,
            "select id, status::text, attempts from audit_sessions",
            row => state.Sessions.Add(row.GetGuid(0), (row.GetString(1), row.GetInt32(2))));
        await ReadAsync(
            dataSource, "select id, deleted_at is not null from artifacts", row => state.Artifacts.Add(row.GetGuid(0), row.GetBoolean(1)));
        return state;
    }

    private static StoredRow Row(NpgsqlDataReader row) => new(row.GetGuid(0), row.GetInt64(1), new EventKey(row.GetInt32(2), row.GetInt32(3)));

    private static async Task ReadAsync(NpgsqlDataSource dataSource, string sql, Action<NpgsqlDataReader> read)
    {
        await using var command = dataSource.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            read(reader);
        }
    }
}

using Npgsql;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>A server's version and the settings that its figures depend on.</summary>
internal sealed record ServerFacts
{
    private const string Sql =
        """
        select current_setting('server_version'),
               'fsync ' || current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit')
                   || ', shared_buffers ' || current_setting('shared_buffers') || ', full_page_writes ' || current_setting('full_page_writes'),
               current_setting('fsync')::boolean
        """;

    public required string Version { get; init; }

    public required string Settings { get; init; }

    public required bool Fsync { get; init; }

    public static async Task<ServerFacts> ReadAsync(NpgsqlDataSource dataSource)
    {
        await using var command = dataSource.CreateCommand(Sql);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return new ServerFacts { Version = reader.GetString(0), Settings = reader.GetString(1), Fsync = reader.GetBoolean(2) };
    }
}

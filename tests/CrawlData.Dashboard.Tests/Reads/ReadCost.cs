using CrawlData.Tests;
using Dapper;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Reads;

/// <summary>Counts what a page reads of the tables and their indexes, in buffers of 8 kB.</summary>
internal static class ReadCost
{
    private const string OthersEndedSql =
        "select count(*) <= 1 from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";

    /// <param name="host">The dashboard. It uses the single connection of <paramref name="dataSource"/>.</param>
    /// <param name="test">The test's own connections.</param>
    /// <param name="dataSource">A data source with one connection, so that the server can be made to report what the request's session has read.</param>
    /// <param name="address">The page.</param>
    public static async Task<long> OfAsync(DashboardHost host, NpgsqlDataSource test, NpgsqlDataSource dataSource, string address)
    {
        // A session reports what it has read late, and at its end at the latest. So the test's own sessions end first. What a browser has left behind may still
        // open one, which is idle then.
        await using (var connection = await test.OpenConnectionAsync())
        {
            await Wait.UntilAsync(
                () =>
                {
                    test.Clear();
                    return connection.ExecuteScalarAsync<bool>(OthersEndedSql);
                },
                OthersEndedSql);
        }

        // Plans and catalogs are read once.
        await host.GetPageAsync(address);
        var before = await CountAsync(test, dataSource);
        await host.GetPageAsync(address);
        return await CountAsync(test, dataSource) - before;
    }

    /// <summary>Counts what was read until now.</summary>
    public static async Task<long> CountAsync(NpgsqlDataSource test, NpgsqlDataSource dataSource)
    {
        await using (var flush = dataSource.CreateCommand("select pg_stat_force_next_flush()"))
        {
            await flush.ExecuteScalarAsync();
        }

        await using var count = test.CreateCommand(
            """
            select coalesce(sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)
                + coalesce(toast_blks_read + toast_blks_hit + tidx_blks_read + tidx_blks_hit, 0)), 0)::bigint
            from pg_statio_user_tables
            """);
        return (long)(await count.ExecuteScalarAsync())!;
    }
}

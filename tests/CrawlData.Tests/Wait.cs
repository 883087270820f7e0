using System.Diagnostics;
using Dapper;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Waits for what another session does.</summary>
internal static class Wait
{
    /// <summary>Asks until a statement's answer is true. Not in a transaction, where <c>pg_stat_activity</c> stands still.</summary>
    public static async Task UntilAsync(NpgsqlDataSource dataSource, string condition, TimeSpan longest)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        for (var watch = Stopwatch.StartNew(); !await connection.ExecuteScalarAsync<bool>(condition); await Task.Delay(20))
        {
            Assert.That(watch.Elapsed, Is.LessThan(longest), condition);
        }
    }

    /// <summary>Waits until another session waits for a lock of this one's.</summary>
    public static Task UntilBlockedByAsync(NpgsqlDataSource dataSource, NpgsqlConnection holder) => UntilAsync(
        dataSource, $"select exists (select from pg_stat_activity where {holder.ProcessID} = any (pg_blocking_pids(pid)))", TimeSpan.FromSeconds(10));
}

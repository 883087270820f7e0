using System.Diagnostics;
using Dapper;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Waits for conditions of other sessions and processes. It polls: neither a server's views nor another process notifies of a change. A test waits for
/// its own tasks by a signal.</summary>
internal static class Wait
{
    /// <summary>The time after which a wait fails. It only ends a hang: what a test waits for takes as long as the machine needs.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Polls until a statement returns true. Not in a transaction, where <c>pg_stat_activity</c> does not change.</summary>
    public static async Task UntilAsync(NpgsqlDataSource dataSource, string condition, TimeSpan? longest = null)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await UntilAsync(() => connection.ExecuteScalarAsync<bool>(condition), condition, longest);
    }

    /// <summary>Polls until a condition is true.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, string description, TimeSpan? longest = null)
    {
        for (var watch = Stopwatch.StartNew(); !await condition(); await Task.Delay(Interval))
        {
            Assert.That(watch.Elapsed, Is.LessThan(longest ?? Longest), description);
        }
    }

    /// <summary>Waits until another session waits for a lock that this connection holds.</summary>
    public static async Task UntilBlockedByAsync(NpgsqlDataSource dataSource, NpgsqlConnection holder)
    {
        // The locks are on the workers of Citus. It numbers a backend by its node and its process id.
        await using var citus = dataSource.CreateCommand("select to_regclass('citus_lock_waits') is not null");
        await UntilAsync(dataSource, (bool)(await citus.ExecuteScalarAsync())!
            ? $"select exists (select from citus_lock_waits where blocking_gpid % 10000000000 = {holder.ProcessID})"
            : $"select exists (select from pg_stat_activity where {holder.ProcessID} = any (pg_blocking_pids(pid)))");
    }

    /// <summary>Waits until a token is cancelled.</summary>
    public static async Task UntilCancelledAsync(CancellationToken cancellationToken)
    {
        var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = cancellationToken.Register(cancelled.SetResult);
        await cancelled.Task;
    }
}

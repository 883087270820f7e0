using CrawlData.Crawls;
using CrawlData.Schema;
using Dapper;

namespace CrawlData.Tests;

/// <summary>Statements lock <c>crawl_runs</c> before <c>crawl_events</c>, as <see cref="EventPartitioner"/> does when it swaps the table. A statement in the
/// other order and the partitioner would wait for each other, until the partitioner gives the attempt up.</summary>
public sealed class LockOrderTests : DatabaseTest
{
    private const string WaiterHoldsEventsSql =
        """
        select exists (select from pg_locks where pid = waiting.pid and granted and relation = 'crawl_events'::regclass)
        from pg_locks as waiting
        where pid = @pid and not granted and relation = 'crawl_runs'::regclass
        """;

    // The server takes the locks in one order when it parses a statement, in another when it makes a plan, and in a third when it runs a plan that it kept.
    private static readonly string[] Uses = ["prepare", "explain execute", "explain execute"];

    [Test]
    public async Task No_statement_waits_for_the_runs_while_it_holds_the_events()
    {
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var waiter = await DataSource.OpenConnectionAsync();
        await waiter.ExecuteAsync("set plan_cache_mode to force_generic_plan");
        var waited = 0;
        var found = new List<string>();

        // LockShardsSql follows the statement that locks the runs.
        var concerned = SqlConstants.Statements.Where(one =>
            one.Sql.Contains("crawl_runs") && one.Sql.Contains("crawl_events") && one.Sql != CrawlEventStatements.LockShardsSql);
        foreach (var (name, sql) in concerned)
        {
            if (SqlConstants.ToFunction("one", sql) is null)
            {
                continue;
            }

            foreach (var use in Uses)
            {
                await using var locks = await holder.BeginTransactionAsync();
                await holder.ExecuteAsync("lock table crawl_runs in access exclusive mode");
                var running = waiter.ExecuteAsync(
                    use == "prepare" ? SqlConstants.ToPrepare("one", sql) : $"explain {SqlConstants.ToExecute("one", sql, new Dictionary<string, string>())}");
                bool? holdsEvents = null;
                await Wait.UntilAsync(async () =>
                    (holdsEvents = await holder.QuerySingleOrDefaultAsync<bool?>(WaiterHoldsEventsSql, new { pid = waiter.ProcessID })) is not null
                    || running.IsCompleted, name);
                await locks.RollbackAsync();
                await running;
                waited += holdsEvents is null ? 0 : 1;
                if (holdsEvents == true)
                {
                    found.Add($"{name} ({use})");
                }
            }

            await waiter.ExecuteAsync("deallocate one");
        }

        Assert.Multiple(() =>
        {
            Assert.That(string.Join('\n', found), Is.Empty);
            Assert.That(waited, Is.GreaterThan(30));
        });
    }
}

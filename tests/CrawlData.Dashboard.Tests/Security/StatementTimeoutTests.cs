using System.Net;
using CrawlData.Tests;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Security;

public sealed class StatementTimeoutTests : DashboardTest
{
    [Test]
    public async Task A_statement_that_takes_too_long_is_cancelled_and_the_page_says_so()
    {
        await using var host = await DashboardHost.StartAsync(DataSource, options => options.StatementTimeout = TimeSpan.FromMilliseconds(250));
        foreach (var (address, table) in new[] { ("runs", "crawl_runs"), ("sessions", "audit_sessions"), ("", "artifacts"), ("status", "crawl_runs") })
        {
            await using (var connection = await DataSource.OpenConnectionAsync())
            await using (var transaction = await connection.BeginTransactionAsync())
            {
                await using var hold = new NpgsqlCommand($"lock table {table} in access exclusive mode", connection, transaction);
                await hold.ExecuteNonQueryAsync();

                var page = await host.GetPageAsync(address, HttpStatusCode.ServiceUnavailable);

                Assert.That(page.QuerySelector("main")!.TextContent, Does.Contain("It took too long").And.Contain("within 250 ms").And.Contain("Narrow it"));

                // Nothing goes on in the server.
                await Wait.UntilAsync(
                    DataSource,
                    $"select not exists (select from pg_stat_activity where {connection.ProcessID} = any (pg_blocking_pids(pid)))");
            }

            await Host.GetPageAsync(address);
        }
    }
}

using System.Net;
using CrawlData.Audits;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Reads;

/// <summary>Heartbeats are looked up only for what seems silent. The role of this dashboard may not read them, so a look-up shows.</summary>
public sealed class SignOfLifeTests : DashboardTest
{
    [Test]
    public async Task A_list_whose_running_rows_are_alive_looks_up_no_heartbeat()
    {
        var role = $"crawldata_test_{Guid.NewGuid():N}";
        await ExecuteAsync(
            $"""
            create role {role} login password 'of a test';
            grant select on all tables in schema public to {role};
            revoke select on crawl_run_claims, audit_session_claims from {role}
            """);
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, EventsOf(1));
        await ExecuteAsync($"update crawl_runs set started_at = started_at - interval '1 hour' where id = '{run.Id}'");
        await InsertSessionAsync("https://example.org/", AuditSessionStatus.Running);
        var connection = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = role, Password = "of a test" };
        await using (var dataSource = NpgsqlDataSource.Create(connection.ConnectionString))
        {
            await using var host = await DashboardHost.StartAsync(dataSource, options => options.StaleAfter = TimeSpan.FromMinutes(30));
            await host.GetPageAsync("runs");
            await host.GetPageAsync("sessions");

            await ExecuteAsync("update crawl_events set created_at = created_at - interval '1 hour'");
            await ExecuteAsync("update audit_sessions set created_at = created_at - interval '1 hour'");
            await host.GetPageAsync("runs", HttpStatusCode.ServiceUnavailable);
            await host.GetPageAsync("sessions", HttpStatusCode.ServiceUnavailable);
        }

        await ExecuteAsync($"drop owned by {role}; drop role {role}");
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}

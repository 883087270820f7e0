using System.Net;
using CrawlData.Dashboard.Reads;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Security;

/// <summary>Nothing of the dashboard writes, so there is nothing that another site's page could make a browser do.</summary>
public sealed class ReadOnlyTests : DashboardTest
{
    [Test]
    public async Task No_method_but_GET_and_HEAD_is_mapped()
    {
        foreach (var endpoint in Host.Endpoints)
        {
            Assert.That(endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods, Is.EquivalentTo(new[] { "GET", "HEAD" }));
            var address = AccessTests.AddressOf(endpoint.RoutePattern.RawText!);
            foreach (var method in new[] { HttpMethod.Post, HttpMethod.Put, HttpMethod.Patch, HttpMethod.Delete })
            {
                using var request = new HttpRequestMessage(method, address);
                using var response = await Host.Client.SendAsync(request);
                Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed), $"{method} {address}");
            }
        }
    }

    [Test]
    public async Task HEAD_gets_the_headers_alone([Values("", "runs", "api/v1/runs")] string address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, address);
        using var response = await Host.Client.SendAsync(request);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await response.Content.ReadAsByteArrayAsync(), Is.Empty);
    }

    [Test]
    public async Task The_transaction_of_a_request_cannot_write_and_leaves_nothing_in_the_session()
    {
        await using var services = new ServiceCollection().AddSingleton(DataSource).AddCrawlData().AddLogging().BuildServiceProvider();
        var database = new DashboardDatabase(services, new CrawlDataDashboardOptions { StatementTimeout = TimeSpan.FromMilliseconds(4_321) });

        var (timeout, isolation) = await database.ReadAsync(
            async transaction =>
            {
                await using var settings = new NpgsqlCommand(
                    "select current_setting('statement_timeout'), current_setting('transaction_isolation')", transaction.Connection, transaction);
                await using var reader = await settings.ExecuteReaderAsync();
                await reader.ReadAsync();
                return (reader.GetString(0), reader.GetString(1));
            },
            default);
        var write = database.ReadAsync(
            async transaction =>
            {
                await using var delete = new NpgsqlCommand("delete from crawl_runs", transaction.Connection, transaction);
                return await delete.ExecuteNonQueryAsync();
            },
            default);

        Assert.That(timeout, Is.EqualTo("4321ms"));
        Assert.That(isolation, Is.EqualTo("repeatable read"));
        await Assert.ThatAsync(
            () => write, Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo(PostgresErrorCodes.ReadOnlySqlTransaction));
        await using var after = DataSource.CreateCommand("select current_setting('statement_timeout') || current_setting('transaction_read_only')");
        Assert.That(await after.ExecuteScalarAsync(), Is.EqualTo("0off"));
    }

    [Test]
    public async Task A_role_that_may_only_select_is_enough()
    {
        var (runId, eventId) = await InsertRunWithAsync("text", "{}");
        var sessionId = await InsertSessionWithAsync("text", "{}");
        var role = $"crawldata_test_{Guid.NewGuid():N}";
        await ExecuteAsync($"create role {role} login password 'of a test'; grant select on all tables in schema public to {role}");
        var connection = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = role, Password = "of a test" };
        await using (var dataSource = NpgsqlDataSource.Create(connection.ConnectionString))
        {
            await using var host = await DashboardHost.StartAsync(dataSource);
            foreach (var address in new[]
            {
                "", "runs", $"runs/{runId}", $"runs/{runId}?tab=stats", $"runs/{runId}?tab=time", $"runs/{runId}/events/{eventId}", "sessions",
                $"sessions/{sessionId}", "artifacts", "artifacts/expired", "artifacts/expiring", "status", $"compare?run={runId}&run={runId}",
            })
            {
                await host.GetPageAsync(address);
            }
        }

        await ExecuteAsync($"drop owned by {role}; drop role {role}");
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}

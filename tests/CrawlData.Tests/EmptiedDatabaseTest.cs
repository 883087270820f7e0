using Dapper;

namespace CrawlData.Tests;

/// <summary>A fixture whose cases run one after the other, each with empty tables: for operations on all rows, such as a queue's.</summary>
[Parallelizable(ParallelScope.Self)]
public abstract class EmptiedDatabaseTest : DatabaseTest
{
    [SetUp]
    public Task EmptyAsync() => ExecuteAsync("truncate crawl_runs, audit_sessions, crawl_log_marks, crawl_event_marks cascade");

    protected async Task ExecuteAsync(string sql, object? parameters = null)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(sql, parameters);
    }

    protected async Task<List<T>> QueryAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        return (await connection.QueryAsync<T>(sql, parameters)).AsList();
    }
}

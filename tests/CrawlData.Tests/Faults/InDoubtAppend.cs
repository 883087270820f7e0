using CrawlData.Crawls;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Appends an event as the library does, without its COMMIT, and verifies it.</summary>
internal static class InDoubtAppend
{
    public static async Task<AppendedRows> InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid crawl, DateTime? createdAt = null)
    {
        await using var insert = new NpgsqlCommand(CrawlEventStatements.InsertOneSql, connection, transaction);
        SqlConstants.AddParameters(insert);
        insert.Parameters[0].Value = crawl;
        insert.Parameters[1].Value = "step";
        insert.Parameters[2].Value = "{}";
        insert.Parameters[3].Value = createdAt ?? (object)DBNull.Value;
        var id = (long)(await insert.ExecuteScalarAsync())!;
        await using var identity = new NpgsqlCommand(CrawlEventStatements.IdentitySql, connection, transaction);
        await using var reader = await identity.ExecuteReaderAsync();
        await reader.ReadAsync();
        return new AppendedRows([id], TransactionIdentity.Read(reader), crawl, createdAt is null, [crawl]);
    }

    public static Task<CommitOutcome> VerifyAsync(NpgsqlDataSource dataSource, AppendedRows rows)
    {
        var retry = new RetryPolicy(
            dataSource, TimeSpan.FromSeconds(10), TimeProvider.System, new Telemetry(dataSource, "crawl_events"), TestLog.Instance);
        return new CommitVerifier(dataSource, retry, CrawlEventStatements.LockParentSql, CrawlEventStatements.RowIsOfTransactionSql).VerifyAsync(rows);
    }
}

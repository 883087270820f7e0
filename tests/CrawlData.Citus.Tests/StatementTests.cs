using System.Text.RegularExpressions;
using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests;
using Npgsql;

namespace CrawlData.Citus.Tests;

/// <summary>Each statement of the library ends as on plain PostgreSQL.</summary>
public sealed partial class StatementTests
{
    /// <summary>Statements that others take the place of where each crawl has a node of its own, and those of partitions.</summary>
    private static readonly string[] NotSentByCrawl =
    [
        "RetentionPurger.ListOldCrawlsSql", "RetentionPurger.ListDeletableCrawlsSql",
        "RetentionPurger.FindLivingCrawlSql", "RetentionPurger.HasLateEventSql", "RetentionPurger.ListEmptyCrawlsSql",
        "CrawlEventRepository.FirstAtSql", "CrawlEventRepository.LastOfEachSql",
        "CrawlEventStatements.InsertClaimedSql", "CrawlEventStatements.InsertAvailableClaimedSql",
        "CrawlEventStatements.ReserveClaimedSql", "CrawlEventStatements.ReserveAvailableClaimedSql",
        "CrawlEventStatements.InsertSql", "CrawlEventStatements.InsertAvailableSql",
        "CrawlEventStatements.ReserveSql", "CrawlEventStatements.ReserveAvailableSql",
        "CrawlRunRepository.ListNewestByStatusSql", "CrawlRunRepository.ListOldestByStatusSql", "CrawlRunRepository.CountOfEachStatusSql",
        "CrawlRunRepository.NeighbourIdsSql",
        "CrawlEventReader.LookSql",
        "CrawlRunQueue.ClaimNextSql", "CrawlRunQueue.HeartbeatSql",
        "CrawlRunQueue.ListStaleSql", "CrawlRunQueue.LockStaleSql", "CrawlRunQueue.FailStaleSql", "CrawlRunQueue.ListSilentSql",

        // Sent for the crawls of one shard at a time.
        "CrawlRunQueue.LockByCrawlSql", "RetentionPurger.LockCrawlsSql", "CrawlEventStatements.LockRunsSql", "CrawlEventStatements.LockAvailableRunsSql",
    ];

    [Test]
    public async Task Each_statement_ends_with_the_error_of_plain_PostgreSQL_or_without_one(
        [Values] CitusLayout layout)
    {
        await using var plain = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        await using var citus = await CitusDatabase.StartAsync(layout);
        var expected = await ExecuteAllAsync(plain.DataSource);
        var actual = await ExecuteAllAsync(citus.DataSource);

        var others = actual.Except(expected)
            .Where(outcome => layout != CitusLayout.DistributedCrawls || !NotSentByCrawl.Contains(outcome[..outcome.IndexOf(':', StringComparison.Ordinal)]));
        Assert.That(string.Join('\n', others), Is.Empty);
    }

    /// <summary>Executes each statement in a transaction that is rolled back, and returns its SQLSTATE.</summary>
    private static async Task<List<string>> ExecuteAllAsync(NpgsqlDataSource dataSource)
    {
        var crawls = Enumerable.Range(0, 4).Select(_ => Guid.CreateVersion7()).ToArray();
        await using (var runs = dataSource.CreateCommand("insert into crawl_runs (id, app_package) select id, 'org.example.app' from unnest($1) as ids (id)"))
        {
            runs.Parameters.Add(new NpgsqlParameter { Value = crawls });
            await runs.ExecuteNonQueryAsync();
        }

        var outcomes = new List<string>();

        // Npgsql sends data for a COPY. The end-to-end test does.
        foreach (var (name, sql) in SqlConstants.Statements.Where(statement => !statement.Sql.StartsWith("copy", StringComparison.Ordinal)))
        {
            await using var connection = await dataSource.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            SqlConstants.AddParameters(command);
            foreach (NpgsqlParameter parameter in command.Parameters)
            {
                parameter.Value = ValueOf(parameter.DataTypeName!, crawls);
            }

            try
            {
                await command.ExecuteNonQueryAsync();
                outcomes.Add($"{name}: no error");
            }
            catch (PostgresException exception)
            {
                outcomes.Add($"{name}: {exception.SqlState} {ShardPattern().Replace(exception.MessageText, "")}");
            }
        }

        return outcomes;
    }

    // The number of a shard follows the name of its table.
    [GeneratedRegex(@"_\d{6,}(?="")")]
    private static partial Regex ShardPattern();

    // Four crawls lie in more than one shard. All arrays are as long.
    private static object ValueOf(string type, Guid[] crawls) => type switch
    {
        "uuid" => crawls[0],
        "uuid[]" => crawls,
        "integer" => 1,
        "integer[]" => new[] { 1, 1, 1, 1 },
        "bigint" => 1L,
        "bigint[]" => new[] { 1L, 1, 1, 1 },
        "boolean" => true,
        "boolean[]" => new[] { true, true, true, true },
        "text[]" => new string?[4],
        "jsonb" => "{}",
        "character varying" => "step",
        "interval" => TimeSpan.FromDays(1),
        "timestamp with time zone" => DateTime.UtcNow,
        "timestamp with time zone[]" => new DateTime?[4],
        "timestamp without time zone[]" => new DateTime?[4],
        _ => DBNull.Value,
    };
}

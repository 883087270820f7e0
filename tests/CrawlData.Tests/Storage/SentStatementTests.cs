using CrawlData.Tests.Schema;

namespace CrawlData.Tests;

public sealed class SentStatementTests : MigratorTest
{
    // Other tests send these: after a lost connection, on Citus, and in a script that psql runs.
    private static readonly string[] OutsideTheScenario =
    [
        "Citus.IsInstalledSql",
        "CrawlEventReader.NewestSql",
        "CrawlEventReader.ReadUpToSql",
        "CrawlEventStatements.DrawIdsSql",
        "CrawlEventStatements.InsertLockedSql",
        "CrawlEventStatements.LockAvailableRunsSql",
        "CrawlEventStatements.LockParentSql",
        "CrawlEventStatements.LockRunSql",
        "CrawlEventStatements.LockRunsSql",
        "CrawlEventStatements.LockTableSql",
        "CrawlEventStatements.RowIsOfTransactionSql",
        "CrawlLogFollower.ReadUpToSql",
        "CrawlLogFollower.StateSql",
        "CrawlLogStatements.LockParentSql",
        "CrawlLogStatements.RowIsOfTransactionSql",
        "MigrationLock.HoldersSql",
        "MigrationLock.TransactionLockSql",
        "CommitVerifier.StatusSql",
        "CommitVerifier.TerminateSql",
        "CommitVerifier.WriteWalSql",
        "CommitVerifier.ClusterSql",
        "ConfirmedCommit.ShowWarningsSql",
        "LostBackends.TerminateSql",
    ];

    // EventPartitionerTests and PartitionPurgeTests send these: the scenario's table is not partitioned.
    private static readonly string[] OfPartitions =
    [
        "EventPartitionStatements.", "EventPartitioner.", "RetentionPurger.FindLivingCrawlSql", "RetentionPurger.HasLateEventSql",
        "RetentionPurger.ListEmptyCrawlsSql", "DatabaseDoctor.ListKeepingRunsSql",
    ];

    // These are sent on Citus, where each crawl has a node of its own.
    private static readonly string[] OnNodesOfTheirOwn = ["CrawlEventStatements.LockClaimSql", "CrawlEventStatements.LockShardsSql"];

    // They read no table.
    private static readonly string[] AtAnyIsolation =
        ["NotificationListener.ListenSql", "NotificationListener.UnlistenSql", "CrawlEventNotifier.NotifySql"];

    [Test]
    public async Task Each_statement_is_sent_with_the_types_that_it_is_prepared_with()
    {
        using var recorder = new StatementRecorder();
        await using var dataSource = recorder.CreateDataSource(Database.ConnectionString);

        await EndToEndScenario.RunAsync(dataSource, migrate: true);

        AssertTypes(recorder);
        var unsent = SqlConstants.Statements.Where(statement => !recorder.Sent.ContainsKey(statement.Sql)).Select(statement => statement.Name)
            .Where(name => !IsOnNodesOfTheirOwn(name) && !OfPartitions.Any(one => name.StartsWith(one, StringComparison.Ordinal)));
        Assert.That(unsent, Is.EquivalentTo(OutsideTheScenario), "the statements that were not sent");
        var atDefault = SqlConstants.Statements.Where(statement => recorder.SentAtDefaultIsolation.Contains(statement.Sql)).Select(statement => statement.Name);
        Assert.That(atDefault, Is.EquivalentTo(AtAnyIsolation), "the statements that ran at the session's default isolation level");
    }

    [Test]
    public async Task Each_statement_for_crawls_on_nodes_of_their_own_is_sent_with_its_types()
    {
        await using var database = await PretendedCitus.StartAsync(byCrawl: true);
        using var recorder = new StatementRecorder();
        await using var dataSource = recorder.CreateDataSource(database.ConnectionString);

        await EndToEndScenario.RunAsync(dataSource);

        AssertTypes(recorder);
        Assert.That(
            SqlConstants.Statements.Where(statement => IsOnNodesOfTheirOwn(statement.Name) && !recorder.Sent.ContainsKey(statement.Sql)),
            Is.Empty,
            "the statements that were not sent");
    }

    private static bool IsOnNodesOfTheirOwn(string name) => name.EndsWith("ByCrawlSql", StringComparison.Ordinal) || OnNodesOfTheirOwn.Contains(name);

    private static void AssertTypes(StatementRecorder recorder) => Assert.Multiple(() =>
    {
        foreach (var (name, sql) in SqlConstants.Statements.Where(statement => recorder.Sent.ContainsKey(statement.Sql)))
        {
            // Some are sent along with a statement that does not use them.
            var expected = SqlConstants.ParameterTypes(sql).ToDictionary();
            Assert.That(recorder.Sent[sql].Where(sent => expected.ContainsKey(sent.Key)), Is.EquivalentTo(expected), name);
        }
    });
}

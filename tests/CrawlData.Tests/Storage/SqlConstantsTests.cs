using Dapper;
using Npgsql;

namespace CrawlData.Tests;

public sealed class SqlConstantsTests : DatabaseTest
{
    [TestCaseSource(typeof(SqlConstants), nameof(SqlConstants.All))]
    public async Task Every_statement_can_be_prepared_against_the_migrated_schema(string sql)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        SqlConstants.AddParameters(command);

        await Assert.ThatAsync(() => command.PrepareAsync(), Throws.Nothing);
    }

    [Test]
    public async Task No_statement_uses_a_function_or_an_operator_of_another_schema_on_the_search_path()
    {
        await using var connection = await DataSource.OpenConnectionAsync();

        Assert.That(string.Join('\n', await SearchPathTrap.FindTrappedAsync(connection)), Is.Empty);
    }

    /// <summary>The grammar has <c>extract</c>, <c>position</c>, and <c>unnest</c> of several arguments. The trap has an <c>unnest</c> of one.</summary>
    [Test]
    public async Task Each_function_is_named_with_its_schema()
    {
        var names = SqlConstants.Statements.SelectMany(statement => SqlConstants.UnqualifiedCalls(statement.Sql)).Distinct().ToArray();
        await using var connection = await DataSource.OpenConnectionAsync();
        var functions = await connection.QueryAsync<string>("select distinct proname::text from pg_proc where proname = any (@names)", new { names });

        Assert.That(functions, Is.SubsetOf(["extract", "position", "unnest"]));
    }

    /// <summary>The number of statements by class: a statement whose name does not end in <c>Sql</c> is not found.</summary>
    private static readonly Dictionary<string, int> Expected = new()
    {
        ["ArtifactRepository"] = 9,
        ["AuditPageRepository"] = 5,
        ["AuditSessionQueue"] = 13,
        ["AuditSessionRepository"] = 9,
        ["CrawlDataHealthCheck"] = 1,
        ["CrawlEventReader"] = 8,
        ["NotificationListener"] = 2,
        ["CrawlEventNotifier"] = 1,
        ["CrawlEventRepository"] = 9,
        ["Citus"] = 1,
        ["CrawlDistribution"] = 1,
        ["CrawlEventStatements"] = 32,
        ["CrawlLogFollower"] = 3,
        ["CrawlLogRepository"] = 1,
        ["CrawlLogStatements"] = 8,
        ["CrawlRunQueue"] = 23,
        ["CrawlRunRepository"] = 14,
        ["DatabaseDoctor"] = 13,
        ["EventPartitioner"] = 3,
        ["EventPartitionStatements"] = 25,
        ["DatabaseStatusReader"] = 6,
        ["ArtifactSweeper"] = 3,
        ["MigrationLock"] = 5,
        ["RecordingImporter"] = 1,
        ["RetentionPurger"] = 23,
        ["SchemaCatalog"] = 2,
        ["SchemaComparison"] = 2,
        ["SchemaJournal"] = 6,
        ["SchemaMigrator"] = 2,
        ["SequencePositions"] = 5,
        ["CitusPlacement"] = 1,
        ["CommitVerifier"] = 4,
        ["LostBackends"] = 1,
        ["TransactionTimeouts"] = 1,
        ["ConfirmedCommit"] = 1,
    };

    [Test]
    public void All_statements_are_found() =>
        Assert.That(
            SqlConstants.Statements.CountBy(statement => statement.Name[..statement.Name.IndexOf('.', StringComparison.Ordinal)]), Is.EquivalentTo(Expected));

    [Test]
    public void Statements_are_written_in_lower_case() =>
        Assert.That(
            SqlConstants.All().Select(statement => (string)statement.Arguments[0]!),
            Is.All.Not.Match(@"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|ORDER BY|CREATE)\b"));
}

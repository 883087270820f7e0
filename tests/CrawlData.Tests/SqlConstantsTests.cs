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
    public void Statements_are_found() => Assert.That(SqlConstants.All().Count(), Is.GreaterThan(15));

    [Test]
    public void Statements_are_written_in_lower_case() =>
        Assert.That(
            SqlConstants.All().Select(statement => (string)statement.Arguments[0]!),
            Is.All.Not.Match(@"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|ORDER BY|CREATE)\b"));
}

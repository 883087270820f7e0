using Npgsql;

namespace CrawlData.Tests.Errors;

[Parallelizable(ParallelScope.All)]
public sealed class ServerErrorsTests
{
    [Test]
    public void An_error_is_its_SQLSTATE_and_message_without_its_detail()
    {
        var error = new PostgresException(
            "duplicate key value violates unique constraint",
            "ERROR",
            "ERROR",
            "23505",
            detail: "Key (goal)=(secret) already exists.",
            hint: "secret",
            where: "secret");

        Assert.That(ServerErrors.Describe(error), Is.EqualTo("23505: duplicate key value violates unique constraint"));
    }

    [Test]
    [TestCase("22P02", null, null)]
    [TestCase("38000", null, null)]
    [TestCase("39000", null, null)]
    [TestCase("P0001", null, null)]
    [TestCase("23514", "select 'secret'", null)]
    [TestCase("23514", null, "exec_stmt_raise")]
    public void A_message_that_may_quote_a_value_is_replaced(string sqlState, string? internalQuery, string? routine)
    {
        var error = new PostgresException("invalid value: secret", "ERROR", "ERROR", sqlState, internalQuery: internalQuery, routine: routine);

        Assert.That(ServerErrors.Describe(error), Is.EqualTo($"{sqlState}: the server's text is left out, because it may quote a value"));
    }

    [Test]
    public void Another_exception_is_its_message() => Assert.That(ServerErrors.Describe(new TimeoutException("too slow")), Is.EqualTo("too slow"));

    [Test]
    public void An_exception_is_required() => Assert.That(() => ServerErrors.Describe(null!), Throws.ArgumentNullException);
}

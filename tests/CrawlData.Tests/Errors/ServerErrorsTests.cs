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

    /// <summary>A fatal error of such a class comes while connecting, when no row has been sent.</summary>
    [Test]
    public void The_message_of_an_error_while_connecting_is_kept() => Assert.That(
        ServerErrors.Describe(new PostgresException("invalid value for parameter \"TimeZone\"", "FATAL", "FATAL", "22023")),
        Is.EqualTo("22023: invalid value for parameter \"TimeZone\""));

    [Test]
    [TestCase("22021", true)]
    [TestCase("23505", true)]
    [TestCase("2F002", true)]
    [TestCase("38001", true)]
    [TestCase("39000", true)]
    [TestCase("44000", true)]
    [TestCase("54000", true)]
    [TestCase("P0001", true)]
    [TestCase("40P01", false)]
    [TestCase("42P01", false)]
    [TestCase("53100", false)]
    [TestCase("57014", false)]
    public void An_error_that_concerns_a_row_is_a_refusal(string sqlState, bool isRefusal) =>
        Assert.That(ServerErrors.IsRefusal(new PostgresException("an error", "ERROR", "ERROR", sqlState)), Is.EqualTo(isRefusal));

    [Test]
    public void An_exception_of_the_connection_is_no_refusal() => Assert.That(ServerErrors.IsRefusal(new NpgsqlException("lost")), Is.False);

    [Test]
    public void Another_exception_is_its_message() => Assert.That(ServerErrors.Describe(new TimeoutException("too slow")), Is.EqualTo("too slow"));

    [Test]
    public void An_exception_is_required() => Assert.That(() => ServerErrors.Describe(null!), Throws.ArgumentNullException);
}

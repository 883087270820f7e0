using CrawlData.Instrumentation;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Tests.Storage;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RetryPolicyTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly TimeWithoutPauses time = new();
    private int attempts;

    [Test]
    public async Task Work_is_retried_until_the_limit_after_its_first_failure_and_then_its_error_is_thrown()
    {
        await Assert.ThatAsync(() => Policy().RunAsync(() => FailAsync(TimeSpan.FromSeconds(3)), CancellationToken.None), Throws.InstanceOf<NpgsqlException>());

        Assert.That(attempts, Is.EqualTo(5), "attempts that end after 0, 3, 6, 9 and 12 s, counted from the first failure");
    }

    [Test]
    public async Task A_first_attempt_that_takes_longer_than_the_limit_is_retried()
    {
        Assert.That(
            await Policy().RunAsync(
                async () => attempts == 0 ? await FailAsync(Limit * 1.1) : 1,
                CancellationToken.None),
            Is.EqualTo(1));
    }

    [Test]
    public async Task A_limit_of_zero_makes_one_attempt()
    {
        await Assert.ThatAsync(
            () => Policy(TimeSpan.Zero).RunAsync(() => FailAsync(TimeSpan.Zero), CancellationToken.None), Throws.InstanceOf<NpgsqlException>());

        Assert.That(attempts, Is.EqualTo(1));
    }

    [Test]
    public async Task An_error_that_is_not_transient_is_thrown_at_once()
    {
        var error = new PostgresException("duplicate key", "ERROR", "ERROR", PostgresErrorCodes.UniqueViolation);

        await Assert.ThatAsync(() => Policy().RunAsync(() => FailAsync(TimeSpan.Zero, error), CancellationToken.None), Throws.Exception.SameAs(error));

        Assert.That(attempts, Is.EqualTo(1));
    }

    [Test]
    public async Task A_cancelled_pause_ends_the_retries()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThatAsync(() => Policy().RunAsync(() => FailAsync(TimeSpan.Zero), cancelled.Token), Throws.InstanceOf<OperationCanceledException>());

        Assert.That(attempts, Is.EqualTo(1));
    }

    [TestCase(PostgresErrorCodes.DeadlockDetected, ExpectedResult = true)]
    [TestCase(PostgresErrorCodes.SerializationFailure, ExpectedResult = true)]
    [TestCase(PostgresErrorCodes.AdminShutdown, ExpectedResult = true)]
    [TestCase(PostgresErrorCodes.TooManyConnections, ExpectedResult = true)]
    [TestCase(PostgresErrorCodes.ReadOnlySqlTransaction, ExpectedResult = true)]
    [TestCase(PostgresErrorCodes.LockNotAvailable, ExpectedResult = true)]
    [TestCase(PostgresErrorCodes.QueryCanceled, ExpectedResult = true, Description = "statement_timeout")]
    [TestCase("25P03", ExpectedResult = true, Description = "idle_in_transaction_session_timeout")]
    [TestCase("25P04", ExpectedResult = true, Description = "transaction_timeout")]
    [TestCase(PostgresErrorCodes.CheckViolation, ExpectedResult = false)]
    [TestCase(PostgresErrorCodes.UndefinedTable, ExpectedResult = false)]
    public bool Transient_errors_are_recognised_by_their_SQLSTATE(string sqlState) =>
        Policy().IsTransient(new PostgresException("text", "ERROR", "ERROR", sqlState));

    /// <summary>Citus reports a node that it lost as an internal error. An internal error of another origin is a fault of the server.</summary>
    [TestCase("ReportResultError", ExpectedResult = true)]
    [TestCase("ReportConnectionError", ExpectedResult = true)]
    [TestCase("MarkRemoteTransactionFailed", ExpectedResult = true)]
    [TestCase("exec_stmt_raise", ExpectedResult = false)]
    [TestCase(null, ExpectedResult = false)]
    public bool An_internal_error_is_transient_when_Citus_lost_a_node(string? routine) =>
        Policy().IsTransient(new PostgresException("text", "ERROR", "ERROR", PostgresErrorCodes.InternalError, routine: routine));

    private async Task<int> FailAsync(TimeSpan duration, NpgsqlException? error = null)
    {
        await Task.Yield();
        attempts++;
        time.Advance(duration);
        throw error ?? new NpgsqlException("the connection was lost", new IOException());
    }

    private RetryPolicy Policy(TimeSpan? limit = null)
    {
        // It is never opened.
        var dataSource = NpgsqlDataSource.Create("Host=localhost");
        return new RetryPolicy(dataSource, limit ?? Limit, time, new Telemetry(dataSource, "crawl_events"), TestLog.Instance);
    }
}

using Npgsql;

namespace CrawlData.Tests.Cli;

public sealed class ErrorReportTests : ToolTest
{
    private const string Password = "hush-5f1e";

    [Test]
    [TestCase("nonsense", "crawldata: unknown command or argument 'nonsense'; see crawldata --help.")]
    [TestCase("rnus", "crawldata: unknown command or argument 'rnus'; did you mean runs or run?; see crawldata --help.")]
    [TestCase("run show 1", "crawldata: RUN takes a crawl's id, or at least 4 of its first digits, not '1'; see crawldata run show --help.")]
    [TestCase("run craete --app a", "crawldata: unknown command 'craete'; did you mean create?; see crawldata run --help.")]
    [TestCase("run c0ffee00 start c0ffee01", "crawldata: 'start' comes before ids and options: crawldata run start --help shows the order.")]
    [TestCase("session --json requeue c0ffee00", "crawldata: 'requeue' comes before ids and options: crawldata session requeue --help shows the order.")]
    [TestCase("run fail c0ffee00", "crawldata: Option '--error' is required; see crawldata run fail --help.")]
    [TestCase(
        "run create --app a --device {",
        "crawldata: --device takes JSON: the text is not well-formed, at or after byte 1; see crawldata run create --help.")]
    [TestCase("session enqueue example.org --policy 1 --config 1", "crawldata: url: is not an absolute http or https URL.")]
    [TestCase("run create --app a --start=no", "crawldata: --start takes no value, or true or false; see crawldata run create --help.")]
    [TestCase("import --enqueue=no", "crawldata: --enqueue takes no value, or true or false; see crawldata import --help.")]
    [TestCase("events 0123 --last 1 --before 2", "crawldata: --after, --before, --last and --around exclude each other; see crawldata events --help.")]
    [TestCase("export 42", "crawldata: ID takes a crawl's or session's id, or at least 4 of its first digits, not '42'; see crawldata export --help.")]
    [TestCase("runs --stale 0m", "crawldata: --stale takes a duration of at least a second, such as 90s, 5m or 12h, not '0m'; see crawldata runs --help.")]
    [TestCase("runs --limit 0", "crawldata: --limit takes a whole number from 1, not '0'; see crawldata runs --help.")]
    [TestCase("runs --status 1", "crawldata: --status takes one of PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, not '1'; see crawldata runs --help.")]
    [TestCase(
        "runs --since today",
        "crawldata: --since takes a time such as 2026-11-23, 2026-11-23T08:30 or 2026-11-23T08:30:00Z, or a duration ago such as 30m, 1h or 2d, "
        + "not 'today'; see crawldata runs --help.")]
    [TestCase("migrate --adopt --pending", "crawldata: --adopt and --pending exclude each other; see crawldata migrate --help.")]
    [TestCase("runs Host=localhost;Password=hush-5f1e", "crawldata: unknown command or argument '…'; see crawldata runs --help.")]
    public async Task Wrong_usage_is_one_line_and_exit_code_2(string arguments, string error) =>
        AssertFailed(await RunAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)), 2, error);

    [Test]
    public async Task No_connection_is_wrong_usage() => AssertFailed(
        await Tool.RunAsync(null, "runs"),
        2,
        "crawldata: no connection given: name a database with --connection 'Host=localhost;Username=me;Password=…;Database=crawls', "
        + "in CRAWLDATA_CONNECTION or in a --connection-file.");

    /// <summary>Npgsql 10 has no such keyword, and does not look at PGSERVICE. Where a newer one does, this goes red, and the texts with it.</summary>
    [Test]
    public async Task A_service_file_is_refused_by_its_name()
    {
        AssertFailed(
            await Tool.RunAsync("Service=crawls", "runs"),
            2,
            "crawldata: Npgsql reads no service file: write the connection string as 'Host=localhost;Username=me;Password=…;Database=crawls', "
            + "or keep it in a --connection-file.");
        using var tool = Tool.Start(null, ["runs"], new Dictionary<string, string?> { ["PGSERVICE"] = "crawls" });
        tool.StandardInput.Close();
        Assert.That(await tool.StandardError.ReadToEndAsync(), Does.EndWith(" PGSERVICE has no effect: Npgsql reads no service file.\n"));
        await Tool.WaitAsync(tool);
        Assert.That(() => new NpgsqlConnectionStringBuilder("Service=crawls"), Throws.ArgumentException);
    }

    [Test]
    public async Task The_connection_can_come_from_a_file_and_the_password_from_a_file_that_PGPASSFILE_names()
    {
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString);
        var (file, passwords, wrong) = (TemporaryFile("connection"), TemporaryFile("pgpass"), TemporaryFile("wrong"));
        await File.WriteAllTextAsync(passwords, $"*:*:*:*:{settings.Password}\n");
        await File.WriteAllTextAsync(wrong, "*:*:*:*:wrong\n");
        settings.Password = null;
        await File.WriteAllTextAsync(file, $"{string.Join('\n', settings.ConnectionString.Split(';'))}\n");

        Assert.That(await ExitCodeAsync(passwords), Is.Zero);
        Assert.That(await ExitCodeAsync(wrong), Is.EqualTo(1));
        AssertFailed(
            await Tool.RunAsync(null, "status", "--connection-file", file, "--connection", "Host=localhost"),
            2,
            "crawldata: --connection and --connection-file exclude each other.");

        async Task<int> ExitCodeAsync(string passwordFile)
        {
            using var tool = Tool.Start(null, ["status", "--connection-file", file], new Dictionary<string, string?> { ["PGPASSFILE"] = passwordFile });
            tool.StandardInput.Close();
            var error = tool.StandardError.ReadToEndAsync();
            await tool.StandardOutput.ReadToEndAsync();
            var exitCode = await Tool.WaitAsync(tool);
            TestContext.Out.WriteLine(await error);
            return exitCode;
        }
    }

    /// <summary>While connecting, no row can be quoted.</summary>
    [Test]
    [TestCase("Timezone", "Nowhere/City", "crawldata: 22023: invalid value for parameter \"TimeZone\": \"Nowhere/City\"")]
    [TestCase("Options", "-c work_mem=much", "crawldata: 22023: invalid value for parameter \"work_mem\": \"much\"")]
    [TestCase("Search Path", "a b", "crawldata: 22023: invalid value for parameter \"search_path\": \"a b\"")]
    public async Task A_setting_that_the_server_refuses_is_named(string key, string value, string error) =>
        AssertFailed(await Tool.RunAsync(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { [key] = value }.ConnectionString, "runs"), 1, error);

    [Test]
    [TestCase($"Host=localhost;Password={Password};Colour=red")]
    [TestCase($"postgresql://me:{Password}@localhost/crawls")]
    [TestCase($"Password={Password}")]
    public async Task An_invalid_connection_string_is_not_quoted(string connection) => AssertFailed(
        await Tool.RunAsync(null, "runs", "--connection", connection),
        2,
        "crawldata: the connection string is invalid: write it as 'Host=localhost;Username=me;Password=…;Database=crawls', not as a URI.");

    [Test]
    public async Task A_refused_connection_is_one_line() => AssertFailed(
        await Tool.RunAsync($"Host=127.0.0.1;Port=1;Username=me;Password={Password}", "runs"),
        1,
        "crawldata: Failed to connect to 127.0.0.1:1: Connection refused");

    [Test]
    public async Task An_unknown_host_is_one_line()
    {
        var result = await Tool.RunAsync($"Host=nowhere.invalid;Username=me;Password={Password}", "runs");

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That(result.Error.TrimEnd(), Does.StartWith("crawldata: cannot reach the server: ").And.Not.Contain(Password).And.Not.Contain("\n"));
    }

    [Test]
    public async Task An_error_of_the_server_is_its_SQLSTATE_and_message()
    {
        var connection = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = "nobody", Password = Password, IncludeErrorDetail = true };

        var result = await Tool.RunAsync(connection.ConnectionString, "runs");

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That(result.Error.TrimEnd(), Does.StartWith("crawldata: 28").And.Not.Contain(Password).And.Not.Contain("\n"));
    }

    [Test]
    public async Task A_missing_file_is_one_line()
    {
        var file = TemporaryFile("missing.ndjson");

        AssertFailed(await RunAsync("import", file), 1, $"crawldata: Could not find file '{file}'.");
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "Windows has no SIGINT.")]
    public async Task Ctrl_C_cancels()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var locking = new NpgsqlCommand("lock table crawl_runs", connection);
        await locking.ExecuteNonQueryAsync();
        using var process = Tool.Start(Database.ConnectionString, ["runs"]);
        await Wait.UntilAsync(
            DataSource,
            "select exists (select from pg_locks where not granted and relation = 'crawl_runs'::regclass)");

        await Tool.InterruptAsync(process);

        Assert.That(await process.StandardError.ReadToEndAsync(), Is.EqualTo("crawldata: cancelled\n"));
        Assert.That(await Tool.WaitAsync(process), Is.EqualTo(1));
    }
}

using System.Collections;
using System.Collections.Concurrent;
using System.Text;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Schema;
using CrawlData.Tests.Cli;
using CrawlData.Tests.Faults;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Security;

/// <summary>Causes each kind of failure with marked payloads and passwords, and searches exceptions, logs and output for the marks. The server reports as much
/// as
/// it can: the context of its errors has the statements' parameters.</summary>
public sealed class SecretsTests : ToolTest
{
    private const string Payload = "payload-7c1e9d";
    private const string Password = "password-4b80fa";

    private static readonly Jsonb Marked = Jsonb.From(new { step = 100, secret = Payload });

    private readonly ConcurrentQueue<string> logged = new();

    [OneTimeSetUp]
    public async Task ReportParametersAsync()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        var database = new NpgsqlConnectionStringBuilder(Database.ConnectionString).Database;
        await connection.ExecuteAsync(
            $"""
            alter table crawl_events add constraint steps check ((payload ->> 'step')::int < 100);
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused %', new.payload using hint = new.payload; end $$;
            create trigger refuse before insert on crawl_events for each row when (new.event_type = 'refused') execute function refuse();
            """);
        try
        {
            await connection.ExecuteAsync($"""alter database "{database}" set log_parameter_max_length_on_error = -1""");
            DataSource.Clear();
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            await TestContext.Progress.WriteLineAsync("Only a superuser can let errors have the parameters.");
        }
    }

    /// <summary>Each failure, with the type of its exception.</summary>
    private static readonly Dictionary<string, (Type Exception, Func<SecretsTests, NpgsqlDataSource, Task> Fail)> Failures = new()
    {
        ["wrong password"] = (typeof(NpgsqlException), (_, dataSource) => ConnectAsync(dataSource, settings => settings.Username = "nobody")),
        ["unknown database"] = (typeof(NpgsqlException), (_, dataSource) => ConnectAsync(dataSource, settings => settings.Database = "nowhere")),
        ["no server"] = (typeof(NpgsqlException), (_, dataSource) => ConnectAsync(dataSource, settings => (settings.Host, settings.Port) = ("127.0.0.1", 1))),
        ["malformed connection string"] = (typeof(InvalidValueException),
            (_, _) => Task.Run(() => new ServiceCollection().AddCrawlData($"Host=localhost;Password={Password};Port={Password}"))),
        ["connection string with a wrong key"] = (typeof(InvalidValueException),
            (_, _) => Task.Run(() => new ServiceCollection().AddCrawlData($"Host=localhost;{Password}={Password}"))),
        ["connection string at odds with itself"] = (typeof(InvalidValueException),
            (_, _) => Task.Run(() => new ServiceCollection().AddCrawlData($"Host={Password};Password={Password};Minimum Pool Size=2;Maximum Pool Size=1"))),
        ["event type"] = (typeof(InvalidValueException), (_, _) => Task.Run(() => new NewCrawlEvent { EventType = Payload.PadRight(51), Payload = default })),
        ["text"] = (typeof(InvalidValueException), (_, _) => Task.Run(() => new NewCrawlRun { AppPackage = "org.example.app", Goal = $"{Payload}\0" })),
        ["URL"] = (typeof(InvalidValueException),
            (_, _) => Task.Run(() => new CrawlData.Audits.NewAuditSession { Url = $"http://{Payload} /", CrawlPolicyVersion = "1", ConfigSnapshot = default })),
        ["malformed JSON"] = (typeof(InvalidValueException), (_, _) => Task.Run(() => Jsonb.Parse($"{{\"{Payload}\": {Payload}}}"))),
        ["JSON with U+0000"] = (typeof(InvalidValueException), (_, _) => Task.Run(() => Jsonb.Parse($"{{\"{Payload}\": \"{Payload}\\u0000\"}}"))),
        ["object that cannot be serialized"] = (typeof(InvalidValueException),
            (_, _) => Task.Run(() => Jsonb.From(new Dictionary<string, double> { [Payload] = double.NaN }))),
        ["cursor"] = (typeof(InvalidValueException), (_, dataSource) => new CrawlRunRepository(dataSource).ListAsync(cursor: Payload)),
        ["unknown crawl"] = (typeof(RowNotFoundException),
            (_, dataSource) => new CrawlEventRepository(dataSource).AppendAsync(Guid.CreateVersion7(), Event(1, Payload))),
        ["id that is taken"] = (typeof(RowAlreadyExistsException), async (test, dataSource) =>
            await new CrawlRunRepository(dataSource).InsertAsync(
                new NewCrawlRun { Id = await test.CreateCrawlAsync(), AppPackage = Payload, Goal = Payload, DeviceConfig = Marked })),
        ["refused transition"] = (typeof(TransitionRefusedException), async (test, dataSource) =>
            (await new CrawlRunRepository(dataSource).CompleteAsync(await test.CreateCrawlAsync(Payload))).EnsureApplied()),
        ["constraint"] = (typeof(PostgresException),
            async (test, dataSource) => await new CrawlEventRepository(dataSource).AppendAsync(await test.CreateCrawlAsync(), Step(Marked))),
        ["constraint, through the writer"] = (typeof(CrawlEventsNotStoredException), (test, dataSource) => test.WriteAsync(dataSource, Step(Marked))),
        ["cast of a value, through the writer"] = (typeof(CrawlEventsNotStoredException),
            (test, dataSource) => test.WriteAsync(dataSource, Step(Jsonb.From(new { step = Payload })))),
        ["trigger, through the writer"] = (typeof(CrawlEventsNotStoredException),
            (test, dataSource) => test.WriteAsync(dataSource, Step(Jsonb.From(Payload)) with { EventType = "refused" })),
        ["unknown outcome"] = (typeof(AppendOutcomeUnknownException), (test, dataSource) => test.LoseCommitAsync(dataSource)),
        ["cancelled"] = (typeof(OperationCanceledException), async (test, dataSource) =>
            await new CrawlEventRepository(dataSource).AppendAsync(
                await test.CreateCrawlAsync(), Event(1, Payload), cancellationToken: new CancellationToken(canceled: true))),
        ["script that casts a value"] = (typeof(MigrationException),
            (_, dataSource) => MigrateAsync(dataSource, $"select jsonb_build_object('secret', '{Payload}')::text::int")),
        ["script with a constraint"] = (typeof(MigrationException), (_, dataSource) =>
            MigrateAsync(
                dataSource, $"create table twice (id text); insert into twice values ('{Payload}'), ('{Payload}'); alter table twice add unique (id)")),
        ["script that raises"] = (typeof(MigrationException),
            (_, dataSource) => MigrateAsync(dataSource, $"do $$ begin raise exception '{Payload}' using hint = '{Payload}'; end $$")),
        ["recording: no JSON"] = (typeof(RecordingException), (_, dataSource) => ImportAsync(dataSource, Payload)),
        ["recording: no line"] = (typeof(RecordingException), (_, dataSource) => ImportAsync(dataSource, $$"""{"{{Payload}}": "{{Payload}}"}""")),
        ["recording: unknown table"] = (typeof(RecordingException),
            (_, dataSource) => ImportAsync(dataSource, $$$"""{"table": "{{{Payload}}}", "row": {}}""")),
        ["recording: unknown column"] = (typeof(RecordingException),
            (_, dataSource) => ImportAsync(dataSource, $$$"""{"table": "crawl_runs", "row": {"app_package": "x", "{{{Payload}}}": 1}}""")),
        ["recording: value of another type"] = (typeof(RecordingException),
            (_, dataSource) => ImportAsync(dataSource, $$$"""{"table": "crawl_runs", "row": {"app_package": "x", "max_steps": "{{{Payload}}}"}}""")),
        ["recording: status"] = (typeof(RecordingException),
            (_, dataSource) => ImportAsync(dataSource, $$$"""{"table": "crawl_runs", "row": {"app_package": "x", "status": "{{{Payload}}}"}}""")),
        ["recording: text"] = (typeof(RecordingException),
            (_, dataSource) => ImportAsync(dataSource, $$$"""{"table": "crawl_runs", "row": {"app_package": "{{{Payload}}}\u0000"}}""")),
        ["recording: id that is taken"] = (typeof(RecordingException), async (test, dataSource) =>
            await ImportAsync(
                dataSource,
                $$$"""{"table": "crawl_runs", "row": {"id": "{{{await test.CreateCrawlAsync()}}}", "app_package": "x", "goal": "{{{Payload}}}"}}""")),
    };

    public static IEnumerable<TestCaseData> Cases() =>
        from name in Failures.Keys
        from detail in new[] { false, true }
        select new TestCaseData(name, detail).SetArgDisplayNames(detail ? $"{name}, with error detail" : name);

    [Test]
    [TestCaseSource(nameof(Cases))]
    public async Task An_exception_contains_no_payload_and_no_password(string name, bool includeErrorDetail)
    {
        await using var dataSource = NpgsqlDataSource.Create(WithPassword(includeErrorDetail));
        var (type, fail) = Failures[name];

        var exception = await Assert.CatchAsync(() => fail(this, dataSource));

        Assert.That(exception, Is.InstanceOf(type));
        var text = TextOf(exception!);
        Assert.That(text, Does.Not.Contain(Password));

        // A server's error comes from Npgsql unchanged, which includes its detail on request.
        if (exception is not NpgsqlException || !includeErrorDetail)
        {
            Assert.That(exception is PostgresException server ? server.Message : text, Does.Not.Contain(Payload));
        }
    }

    [Test]
    public async Task No_log_line_contains_a_payload_or_a_password()
    {
        using var logs = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Capture(logged)));
        var connection = WithPassword(includeErrorDetail: true);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(logs);
        builder.Services.AddCrawlData(connection.ConnectionString, options => options.Notify = true);
        using var host = builder.Build();
        await host.StartAsync();
        var events = host.Services.GetRequiredService<CrawlEventRepository>();
        var crawl = await CreateCrawlAsync();

        await events.AppendAsync(crawl, [Event(1, Payload), Event(2, Payload)]);
        await Assert.CatchAsync(() => events.AppendAsync(crawl, Step(Marked)));
        var writer = host.Services.GetRequiredService<CrawlEventWriter>();
        await writer.WriteAsync(crawl, Step(Jsonb.From(new { step = Payload })));
        await Assert.CatchAsync<CrawlEventsNotStoredException>(() => writer.FlushAsync());
        writer.TakeUnstored();
        await Assert.CatchAsync(() => ImportAsync(host.Services.GetRequiredService<NpgsqlDataSource>(), Payload));
        await Assert.CatchAsync<MigrationException>(() =>
        {
            SchemaScript[] scripts = [new("901_logged.sql", "select 1"), new("902_fails.sql", $"select '{Payload}'::int")];
            return new SchemaMigrator(DataSource, null, logs.CreateLogger<SchemaMigrator>(), null, scripts).MigrateAsync();
        });
        await host.StopAsync();

        Assert.That(logged, Has.Some.StartsWith("CrawlData.Schema.SchemaMigrator:").And.Some.StartsWith("CrawlData.Crawls.CrawlEventWriter:"));
        Assert.That(logged.Where(line => line.StartsWith("CrawlData.", StringComparison.Ordinal)), Has.None.Contains(Payload).And.None.Contains(Password));
        Assert.That(logged, Has.None.Contains(Password));
    }

    [Test]
    public async Task The_tool_writes_no_payload_and_no_password()
    {
        var connection = WithPassword(includeErrorDetail: true).ConnectionString;
        var crawl = (await CreateCrawlAsync()).ToString();
        var refused = Step(Jsonb.From(new { step = Payload }));
        var file = TemporaryFile("recording.ndjson");
        await File.WriteAllTextAsync(file, $$$"""{"table": "crawl_runs", "row": {"app_package": "x", "{{{Payload}}}": 1}}""");

        var results = await Task.WhenAll(
            Tool.RunAsync(connection, $"{{\"event_type\": \"step\", \"payload\": {refused.Payload}}}\n", ["append", crawl]),
            Tool.RunAsync(connection, "import", file),
            Tool.RunAsync(null, "runs", "--connection", $"Host=localhost;Password={Password};Port={Password}"));

        Assert.That(results.Select(result => result.ExitCode), Is.EqualTo(new[] { 1, 1, 2 }));
        Assert.That(results.Select(result => result.Output + result.Error), Has.None.Contains(Payload).And.None.Contains(Password));
    }

    // The tests' own server needs no password; a named server may.
    private NpgsqlConnectionStringBuilder WithPassword(bool includeErrorDetail)
    {
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { IncludeErrorDetail = includeErrorDetail };
        settings.Password ??= Password;
        return settings;
    }

    private static NewCrawlEvent Step(Jsonb payload) => new() { EventType = "step", Payload = payload };

    private static Task<IReadOnlyList<string>> MigrateAsync(NpgsqlDataSource dataSource, string sql) =>
        new SchemaMigrator(dataSource, null, null, null, [new SchemaScript("900_fails.sql", sql)]).MigrateAsync();

    private static Task<RecordingImportResult> ImportAsync(NpgsqlDataSource dataSource, string line) =>
        new RecordingImporter(dataSource).ImportAsync(new MemoryStream(Encoding.UTF8.GetBytes(line)));

    private static async Task ConnectAsync(NpgsqlDataSource dataSource, Action<NpgsqlConnectionStringBuilder> change)
    {
        var settings = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString) { Password = Password };
        change(settings);
        await using var changed = NpgsqlDataSource.Create(settings);
        await new CrawlRunRepository(changed).ListAsync();
    }

    private async Task WriteAsync(NpgsqlDataSource dataSource, NewCrawlEvent crawlEvent)
    {
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource));
        await writer.WriteAsync(await CreateCrawlAsync(), crawlEvent);
        try
        {
            await writer.FlushAsync();
        }
        finally
        {
            Assert.That(writer.TakeUnstored().Single().Error, Is.InstanceOf<PostgresException>());
        }
    }

    private async Task LoseCommitAsync(NpgsqlDataSource dataSource)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var through = proxy.CreateDataSource(
            dataSource.ConnectionString, settings => settings.Password ??= new NpgsqlConnectionStringBuilder(Database.ConnectionString).Password);
        proxy.OnSent = (_, piece) =>
        {
            proxy.Down |= FaultProxy.IsCommit(piece);
            return proxy.Down ? Fault.CutBefore : Fault.None;
        };
        await new CrawlEventRepository(through, retry: new RetryOptions { Limit = TimeSpan.Zero }).AppendAsync(await CreateCrawlAsync(), Event(1, Payload));
    }

    /// <summary>Returns all text of an exception and its inner exceptions.</summary>
    private static string TextOf(Exception exception)
    {
        IEnumerable<Exception> within = exception is AggregateException several ? several.InnerExceptions
            : exception.InnerException is { } inner ? [inner] : [];
        var data = exception.Data.Cast<DictionaryEntry>().Select(entry => $"{entry.Key}: {entry.Value}");
        return string.Join('\n', [exception.ToString(), exception.Message, .. data, .. within.Select(TextOf)]);
    }

    private sealed class Capture(ConcurrentQueue<string> lines) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Category(categoryName, lines);

        public void Dispose()
        {
        }

        private sealed class Category(string name, ConcurrentQueue<string> lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                lines.Enqueue($"{name}: {formatter(state, exception)} {exception}");
        }
    }
}

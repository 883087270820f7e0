using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Schema;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Settings that a role or a database may have: each call gives the same result under each of them. The settings come with the connection, which
/// reaches the statements as those of a role do.</summary>
public sealed class SettingMatrixTests : EmptiedDatabaseTest
{
    private static readonly DateTimeOffset Time = new(2026, 11, 27, 23, 59, 59, 123, 456, TimeSpan.Zero);

    // What settings of text, escapes and numbers could change.
    private static readonly Jsonb Payload = Jsonb.Parse("""{"text": "a \\ b ' \" \\\\ \n é 💧", "number": 0.12345678901234567890123456789, "null": null}""");

    // Settings that cannot hide one another's effect share a case.
    private static readonly string[] Settings =
    [
        // Text and its forms.
        "array_nulls=off transform_null_equals=on", "backslash_quote=off standard_conforming_strings=off escape_string_warning=on", "client_encoding=LATIN1",
        "DateStyle=German IntervalStyle=iso_8601 bytea_output=escape", "DateStyle=SQL,DMY IntervalStyle=sql_standard", "extra_float_digits=-15",
        "lc_messages=C lc_monetary=C lc_numeric=C lc_time=C", "quote_all_identifiers=on", "TimeZone=Pacific/Kiritimati timezone_abbreviations=India",
        "xmlbinary=hex xmloption=document",

        // Names and objects.
        "search_path=\"$user\",public", "search_path=missing,public", "search_path=public,pg_catalog", "search_path=public,pg_temp",
        "check_function_bodies=off default_table_access_method=heap default_tablespace=pg_default default_toast_compression=pglz temp_tablespaces=pg_default",
        "row_security=off", "session_replication_role=local", "allow_system_table_mods=on",

        // Transactions, and time-outs that nothing exceeds.
        "default_transaction_deferrable=on", "default_transaction_isolation=repeatable\\ read", "default_transaction_isolation=serializable",
        "default_transaction_isolation=serializable default_transaction_deferrable=on", "idle_in_transaction_session_timeout=60s idle_session_timeout=60s",
        "lock_timeout=60s deadlock_timeout=1ms", "statement_timeout=60s", "transaction_timeout=60s",
        "client_connection_check_interval=1s tcp_keepalives_idle=5 tcp_user_timeout=5000", "synchronous_commit=off", "synchronous_commit=local",
        "synchronous_commit=remote_apply", "commit_delay=1000 commit_siblings=0 wal_compression=on",

        // Plans.
        "plan_cache_mode=force_generic_plan", "plan_cache_mode=force_custom_plan", "constraint_exclusion=on cursor_tuple_fraction=0",
        "default_statistics_target=1 effective_cache_size=8kB random_page_cost=1000", "enable_bitmapscan=off", "enable_hashagg=off", "enable_hashjoin=off",
        "enable_indexonlyscan=off", "enable_indexscan=off", "enable_material=off enable_memoize=off", "enable_mergejoin=off", "enable_nestloop=off",
        "enable_seqscan=off", "enable_sort=off enable_incremental_sort=off", "from_collapse_limit=1 join_collapse_limit=1 geqo_threshold=2",
        "jit_above_cost=0", "debug_parallel_query=on", "force_parallel_mode=on",
        "min_parallel_table_scan_size=0 parallel_setup_cost=0 parallel_tuple_cost=0 enable_parallel_append=off",

        // Resources.
        "effective_io_concurrency=0 gin_fuzzy_search_limit=1 gin_pending_list_limit=64 vacuum_cost_delay=100 vacuum_freeze_min_age=0",
        "work_mem=64kB hash_mem_multiplier=1 maintenance_work_mem=1MB temp_buffers=800kB",

        // Messages and statistics.
        "client_min_messages=debug5 log_duration=on", "client_min_messages=error", "compute_query_id=off stats_fetch_consistency=snapshot",
        "track_activities=off track_counts=off track_functions=all track_io_timing=on",
    ];

    // Once for all cases, which run one after the other.
    private string? expected;

    [TestCaseSource(nameof(Settings))]
    public async Task Each_call_gives_the_same_result_under_the_settings(string settings)
    {
        var all = settings.Replace("\\ ", "\0", StringComparison.Ordinal).Split(' ');
        foreach (var setting in all)
        {
            await PassIfUnknownAsync(setting[..setting.IndexOf('=', StringComparison.Ordinal)]);
        }

        expected ??= await RunAsync(DataSource);
        await EmptyAsync();
        await using var dataSource = With(string.Join(" -c ", all).Replace("\0", "\\ ", StringComparison.Ordinal));

        Assert.That(await RunAsync(dataSource), Is.EqualTo(expected));
    }

    [Test]
    public async Task A_read_only_default_refuses_writes_and_allows_reads()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, EventsOf(2));
        await using var dataSource = With("default_transaction_read_only=on");
        var events = new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.Zero });

        Assert.That(await events.CountAsync(crawl), Is.EqualTo(2));
        Assert.That((await events.ListAllAsync()).Events, Has.Count.EqualTo(2));
        foreach (var write in new Func<Task>[]
        {
            () => events.AppendAsync(crawl, Event(3)),
            () => events.AppendAsync(crawl, EventsOf(1_500)),
            () => new AuditSessionQueue(dataSource).ClaimNextAsync(),
            () => new CrawlRunRepository(dataSource).StartAsync(crawl),
            () => new RetentionPurger(dataSource).PurgeArtifactsAsync(TimeSpan.Zero),
        })
        {
            await Assert.ThatAsync(write, Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo(PostgresErrorCodes.ReadOnlySqlTransaction));
        }
    }

    [TestCase("statement_timeout", PostgresErrorCodes.QueryCanceled)]
    [TestCase("lock_timeout", PostgresErrorCodes.LockNotAvailable)]
    [TestCase("transaction_timeout", "25P04")]
    public async Task A_claim_s_transition_that_waits_longer_than_a_time_out_throws_its_SQLSTATE_and_changes_nothing(string setting, string sqlState)
    {
        await PassIfUnknownAsync(setting);
        var crawl = await CreateCrawlAsync();
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await holder.ExecuteAsync("update crawl_runs set goal = 'another'");
        await using var dataSource = With($"{setting}=500ms");

        await Assert.ThatAsync(
            () => new CrawlRunRepository(dataSource).StartAsync(crawl), Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo(sqlState));

        await transaction.CommitAsync();
        Assert.That((await Runs.GetAsync(crawl))!.Status, Is.EqualTo(CrawlStatus.Pending));
        Assert.That((await Runs.StartAsync(crawl)).Outcome, Is.EqualTo(TransitionOutcome.Applied));
    }

    /// <summary>Calls each kind of operation, and describes what it returned without ids and times of its own.</summary>
    private static async Task<string> RunAsync(NpgsqlDataSource dataSource)
    {
        var result = new List<string>();
        var migrator = new SchemaMigrator(dataSource);
        Add("migrated", await migrator.MigrateAsync());
        Add("differences", await migrator.VerifySchemaAsync());

        var (runs, events) = (new CrawlRunRepository(dataSource), new CrawlEventRepository(dataSource));
        var crawl = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.\\'example", DeviceConfig = Payload, CreatedAt = Time })).Id;
        var other = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example" })).Id;
        Add("started", [(await runs.StartAsync(crawl)).Outcome, (await runs.StartAsync(crawl)).Outcome]);
        var ids = new List<long> { await events.AppendAsync(crawl, Numbered(0)) };
        ids.AddRange(await events.AppendAsync([(crawl, Numbered(1)), (other, Numbered(0)), (crawl, Numbered(2))]));
        ids.AddRange(await events.AppendAsync(crawl, Enumerable.Range(3, 1_000).Select(Numbered)));
        await events.AppendStreamAsync(crawl, Enumerable.Range(1_003, 3).Select(Numbered).ToAsyncEnumerable());
        await using (var writer = new CrawlEventWriter(events))
        {
            await writer.WriteAsync(crawl, Numbered(1_006));
            await writer.WriteAsync(other, Numbered(1));
            await writer.FlushAsync();
        }

        Add("ids rise", [ids.SequenceEqual(ids.Order())]);
        Add("completed", [(await runs.CompleteAsync(crawl)).Outcome]);
        var followed = await events.FollowAsync(crawl).ToListAsync();
        Add("in order", [followed.Select(one => one.EventType).SequenceEqual(Enumerable.Range(0, 1_007).Select(number => $"{number}"))]);
        Add("equal", [followed.All(one => one.Payload == Payload && one.CreatedAt == Time)]);
        Add("listed", (await events.ListAsync(crawl, pageSize: 3)).Items.Select(one => $"{one.EventType} {one.Payload == Payload} {one.CreatedAt == Time}"));
        Add("all", [(await events.ListAllAsync(limit: 5_000)).Events.Count]);
        var run = (await runs.GetAsync(crawl))!;
        Add("run", [run.AppPackage, run.CreatedAt, run.DeviceConfig == Payload, run.Status]);

        var (queue, sessions) = (new AuditSessionQueue(dataSource), new AuditSessionRepository(dataSource));
        await sessions.InsertAsync(Session() with { ConfigSnapshot = Payload, CreatedAt = Time });
        var claimed = (await queue.ClaimNextAsync())!;
        Add("claimed", [claimed.ConfigSnapshot == Payload, claimed.CreatedAt, claimed.Attempts, await queue.ClaimNextAsync() is null]);
        var page = await new AuditPageRepository(dataSource).InsertAsync(claimed.Id, Page());
        var artifacts = new ArtifactRepository(dataSource);
        var artifact = await artifacts.InsertAsync(claimed.Id, Artifact(page.Id) with { CreatedAt = Time });
        Add("retention", [artifact.RetentionUntil - artifact.CreatedAt]);
        Add("marked", [await artifacts.MarkDeletedAsync(claimed.Id, [artifact.Id])]);
        var logs = new CrawlLogRepository(dataSource);
        await logs.AppendAsync(claimed.Id, [Line(1, Time), Line(2, Time)]);
        Add("log", (await logs.ListAsync(claimed.Id)).Items.Select(line => $"{line.Message} {line.Details} {line.Timestamp == Time}"));
        Add("stale", [(await queue.RescueStaleAsync(TimeSpan.FromHours(1), maxAttempts: 3)).Count]);
        Add("ended", [(await queue.CompleteAsync(claimed.Id, claimed.Attempts)).Outcome]);

        var purger = new RetentionPurger(dataSource);
        Add("purged", [
            await purger.PurgeArtifactsAsync(TimeSpan.Zero), await purger.PurgeSessionsAsync(TimeSpan.Zero), await purger.PurgeCrawlsAsync(TimeSpan.Zero),
            await purger.PurgeSessionsAsync(TimeSpan.FromDays(1)), await purger.PurgeCrawlsAsync(TimeSpan.FromDays(1)),
        ]);
        Add("deleted", [await runs.DeleteAsync(other), await events.CountAsync(other)]);
        return string.Join("\n", result);

        void Add(string name, IEnumerable<object?> values) =>
            result.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name}: {string.Join(", ", values)}"));

        static NewCrawlEvent Numbered(int number) => new() { EventType = $"{number}", Payload = Payload, CreatedAt = Time };
    }

    // A setting of another major version is no setting of this server.
    private async Task PassIfUnknownAsync(string setting)
    {
        if (!(await QueryAsync<bool>("select current_setting(@setting, true) is not null", new { setting })).Single())
        {
            Assert.Pass($"Only another major version has {setting}.");
        }
    }

    private NpgsqlDataSource With(string setting) =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = $"-c {setting}" });
}

using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;
using CrawlData.Testing;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Tests.Faults;

/// <summary>What a COMMIT of Citus can do to an append, on a server without Citus that looks as if it had it.</summary>
public sealed class CitusCommitTests
{
    private const string NodeFailed = "raise warning 'failed to commit transaction on 127.0.0.1:5742'";

    private const string Refused = "raise exception 'could not commit transaction for shard 102008' using errcode = 'XX000'";

    /// <summary>The coordinator has committed. The node lost its part, and the session gets a warning.</summary>
    [Test]
    public async Task An_append_that_a_node_lost_is_stored_again([Values(1, 3, 1_000)] int count)
    {
        await using var database = await StartAsync(asCitus: true);
        await OnFirstCommitAsync(database.DataSource, $"delete from crawl_events; {NodeFailed}");
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);

        var ids = await events.AppendAsync(crawl, Enumerable.Repeat(Event, count));

        Assert.That(await events.StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));
    }

    [Test]
    public async Task An_append_that_a_node_has_despite_its_warning_is_stored_once([Values(1, 1_000)] int count)
    {
        await using var database = await StartAsync(asCitus: true);
        await OnFirstCommitAsync(database.DataSource, NodeFailed);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);

        var ids = await events.AppendAsync(crawl, Enumerable.Repeat(Event, count));

        Assert.That(await events.StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));
    }

    [Test]
    public async Task An_append_whose_commit_fails_on_a_node_is_verified_and_tried_again()
    {
        await using var database = await StartAsync(asCitus: true);
        await OnFirstCommitAsync(database.DataSource, Refused);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);

        var id = await events.AppendAsync(crawl, Event);

        Assert.That(await events.StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(new[] { id }));
    }

    /// <summary>Before its COMMIT nothing is stored.</summary>
    [Test]
    public async Task An_append_that_loses_a_node_before_its_commit_is_tried_again([Values(1, 3)] int count)
    {
        await using var database = await StartAsync(asCitus: true);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);
        var attempts = 0;

        var ids = await events.AppendAsync(new RowBatch<NewCrawlEvent>(crawl, [.. Enumerable.Repeat(Event, count)]), LoseNodeAsync, CancellationToken.None);

        Assert.That(attempts, Is.EqualTo(2));
        Assert.That(await events.StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));

        Task LoseNodeAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, AppendedRows rows) => ++attempts > 1
            ? Task.CompletedTask
            : throw new PostgresException("server closed the connection unexpectedly", "ERROR", "ERROR", "XX000", routine: "ReportResultError");
    }

    /// <summary>One server alone refuses a COMMIT for good.</summary>
    [Test]
    public async Task Without_Citus_such_an_error_is_thrown_at_once()
    {
        await using var database = await StartAsync(asCitus: false);
        await OnFirstCommitAsync(database.DataSource, Refused);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);

        await Assert.ThatAsync(() => events.AppendAsync(crawl, Event), Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo("XX000"));
        Assert.That(await events.CountAsync(crawl), Is.Zero);
    }

    /// <summary>The coordinator's transaction is over, and its part on the node is open or prepared yet. Its status says nothing then.</summary>
    [Test]
    public async Task A_verification_waits_for_the_part_on_the_node_and_then_looks_for_the_row([Values] bool commits)
    {
        await using var database = await StartAsync(asCitus: true);
        var (_, crawl) = await CreateCrawlAsync(database.DataSource);
        await using var part = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await part.BeginTransactionAsync();
        var rows = await AbortAsync(database.DataSource, crawl);
        await part.ExecuteAsync("select from crawl_runs where id = @crawl for no key update", new { crawl }, transaction);
        await using (var insert = new NpgsqlCommand(
            "insert into crawl_events (id, crawl_id, event_type, payload, created_at) values ($1, $2, 'step', '{}', $3)", part, transaction))
        {
            insert.Parameters.AddValue(NpgsqlDbType.Bigint, rows.Ids[0]);
            insert.Parameters.AddValue(NpgsqlDbType.Uuid, crawl);
            insert.Parameters.AddValue(NpgsqlDbType.Timestamp, rows.Transaction!.Value.Start.Microseconds);
            await insert.ExecuteNonQueryAsync();
        }

        var verification = InDoubtAppend.VerifyAsync(database.DataSource, rows);
        await Wait.UntilAsync(database.DataSource, $"select exists (select from pg_stat_activity where {part.ProcessID} = any (pg_blocking_pids(pid)))");
        Assert.That(verification.IsCompleted, Is.False);
        await (commits ? transaction.CommitAsync() : transaction.RollbackAsync());

        Assert.That(await verification, Is.EqualTo(commits ? CommitOutcome.Committed : CommitOutcome.RolledBack));
    }

    [Test]
    public async Task A_row_that_was_deleted_with_its_run_counts_as_stored()
    {
        await using var database = await StartAsync(asCitus: true);
        var (_, crawl) = await CreateCrawlAsync(database.DataSource);
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var rows = await InDoubtAppend.InsertAsync(connection, transaction, crawl);
        await transaction.CommitAsync();
        await new CrawlRunRepository(database.DataSource).DeleteAsync(crawl);

        Assert.That(await InDoubtAppend.VerifyAsync(database.DataSource, rows), Is.EqualTo(CommitOutcome.Committed));
    }

    /// <summary>A row alone is inserted in steps there.</summary>
    [Test]
    public async Task A_single_event_of_an_unknown_crawl_is_refused_whatever_else_is_wrong()
    {
        await using var database = await StartAsync(asCitus: true);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);
        var first = await events.AppendAsync(crawl, Event);

        await Assert.ThatAsync(() => events.AppendAsync(Guid.NewGuid(), Event), Throws.InstanceOf<RowNotFoundException>());
        await using (var check = database.DataSource.CreateCommand("alter table crawl_events add check (event_type <> 'refused')"))
        {
            await check.ExecuteNonQueryAsync();
        }

        var refused = new NewCrawlEvent { EventType = "refused", Payload = Event.Payload };
        await Assert.ThatAsync(() => events.AppendAsync(Guid.NewGuid(), refused), Throws.InstanceOf<RowNotFoundException>());
        await Assert.ThatAsync(() => events.AppendAsync(crawl, refused), Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo("23514"));
        var second = await events.AppendAsync(crawl, Event);

        Assert.That(await events.StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(new[] { first, second }));
        await using var connection = await database.DataSource.OpenConnectionAsync();
        Assert.That(
            await connection.QueryAsync<string>("select statement from pg_prepared_statements"),
            Is.SupersetOf([CrawlEventStatements.LockRunSql, CrawlEventStatements.InsertLockedSql]));
    }

    /// <summary>Several rows are copied there, with ids that are reserved in steps.</summary>
    [Test]
    public async Task Events_of_several_crawls_are_stored_in_their_order_or_not_at_all()
    {
        await using var database = await StartAsync(asCitus: true);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);
        var (_, other) = await CreateCrawlAsync(database.DataSource);
        var first = await events.AppendAsync(crawl, Event);

        var unknown = Guid.NewGuid();
        await Assert.ThatAsync(
            () => events.AppendAsync([(crawl, Event), (unknown, Event)]),
            Throws.InstanceOf<RowNotFoundException>().With.Property("Ids").EqualTo(new[] { unknown }));
        var ids = await events.AppendAsync([(other, Event), (crawl, Event), (other, Event)]);

        Assert.That(ids, Is.Ordered.And.Unique);
        Assert.That(await events.StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(new[] { first, ids[1] }));
        Assert.That(await events.StreamAsync(other).Select(one => one.Id).ToListAsync(), Is.EqualTo(new[] { ids[0], ids[2] }));
        await using var connection = await database.DataSource.OpenConnectionAsync();
        Assert.That(
            await connection.QueryAsync<string>("select statement from pg_prepared_statements"),
            Is.SupersetOf([CrawlEventStatements.LockTableSql, CrawlEventStatements.LockRunsSql, CrawlEventStatements.DrawIdsSql]));
    }

    /// <summary>Where crawls are distributed, one statement locks the runs of a shard. Parts on several shards are prepared.</summary>
    [Test]
    public async Task Crawls_of_one_shard_are_locked_at_once_and_committed_in_one_phase([Values] bool sharing)
    {
        await using var database = await PretendedCitus.StartAsync(byCrawl: true);
        var events = new CrawlEventRepository(database.DataSource);
        await new CrawlRunRepository(database.DataSource).InsertAsync(Enumerable.Repeat(new NewCrawlRun { AppPackage = "a" }, 20));
        await using var connection = await database.DataSource.OpenConnectionAsync();
        var shards = (await connection.QueryAsync<(Guid Id, long Shard)>(
            "select id, get_shard_id_for_distribution_column('crawl_runs', id) from crawl_runs")).ToLookup(one => one.Shard, one => one.Id);
        await connection.CloseAsync();
        Guid[] crawls = sharing ? [.. shards.First(shard => shard.Count() > 1).Take(2)] : [.. shards.Take(2).Select(shard => shard.First())];

        // The first append of a data source prepares nothing.
        for (var append = 0; append < 2; append++)
        {
            await events.AppendAsync([.. crawls.Select(crawl => (crawl, Event))]);
        }

        await connection.OpenAsync();
        var statements = (await connection.QueryAsync<string>("select statement from pg_prepared_statements")).ToList();
        Assert.That(statements, Has.Member(CrawlEventStatements.LockRunsSql));
        Assert.That(statements, sharing ? Has.No.Member(CrawlEventStatements.LockShardsSql) : Has.Member(CrawlEventStatements.LockShardsSql));
        Assert.That((await events.CountAsync(crawls[0]), await events.CountAsync(crawls[1])), Is.EqualTo((2L, 2L)));
    }

    /// <summary>Followers of all crawls wait for who holds the table's lock.</summary>
    [Test]
    public async Task Several_rows_take_the_lock_of_the_table_before_their_ids()
    {
        await using var database = await StartAsync(asCitus: true);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);
        var id = await events.AppendAsync(crawl, Event);
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("lock table crawl_events in share mode", transaction: transaction);

        var waiting = events.AppendAsync(crawl, [Event, Event]);
        await Wait.UntilBlockedByAsync(database.DataSource, connection);
        var last = await connection.QuerySingleAsync<long>("select last_value from crawl_events_id_seq", transaction: transaction);
        await transaction.RollbackAsync();

        Assert.That(last, Is.EqualTo(id));
        Assert.That(await waiting, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_writer_stores_the_events_of_other_crawls_while_one_is_locked()
    {
        await using var database = await StartAsync(asCitus: true);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);
        var (_, locked) = await CreateCrawlAsync(database.DataSource);
        await using var writer = new CrawlEventWriter(events);
        await writer.AppendAsync(crawl, Event);
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("select from crawl_runs where id = @locked for no key update", new { locked }, transaction);

        var waiting = writer.AppendAsync(locked, Event);
        await writer.AppendAsync(crawl, Event);
        Assert.That(waiting.IsCompleted, Is.False);
        await transaction.RollbackAsync();
        var id = await waiting;

        Assert.That(await events.StreamAsync(locked).Select(one => one.Id).ToListAsync(), Is.EqualTo(new[] { id }));
        Assert.That(await events.CountAsync(crawl), Is.EqualTo(2));
    }

    /// <summary>The coordinator has ended the transaction. Its rows come when the node's part is recovered.</summary>
    [Test]
    public async Task A_part_that_is_left_on_a_node_holds_back_later_events()
    {
        await using var database = await StartAsync(asCitus: true);
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);
        await using var part = await database.DataSource.OpenConnectionAsync();
        await part.ExecuteAsync("create table crawl_events_102008 ()");
        await using var transaction = await part.BeginTransactionAsync();
        await part.ExecuteAsync("lock table crawl_events_102008 in row exclusive mode", transaction: transaction);
        var id = await events.AppendAsync(crawl, Event);

        var time = new SignallingTime();
        var reading = new CrawlEventRepository(database.DataSource, timeProvider: time).ListAllAsync();
        await time.Paused;
        Assert.That(reading.IsCompleted, Is.False);
        await transaction.RollbackAsync();

        Assert.That((await reading.WaitAsync(Wait.Longest)).Events.Select(one => one.Id), Is.EqualTo(new[] { id }));
    }

    [Test]
    public async Task A_log_is_followed_to_its_end()
    {
        await using var database = await StartAsync(asCitus: true);
        var session = await new AuditSessionRepository(database.DataSource).InsertAsync(
            new NewAuditSession { Url = "https://example.org/", CrawlPolicyVersion = "1", ConfigSnapshot = Event.Payload });
        var queue = new AuditSessionQueue(database.DataSource);
        var claimed = (await queue.ClaimNextAsync())!;
        await queue.CompleteAsync(claimed.Id, claimed.Attempts);
        var logs = new CrawlLogRepository(database.DataSource);

        Assert.That(await logs.FollowAsync(session.Id).CountAsync(), Is.EqualTo(1));
        await Assert.ThatAsync(async () => await logs.FollowAsync(Guid.NewGuid()).CountAsync(), Throws.InstanceOf<RowNotFoundException>());
    }

    /// <summary>Otherwise a coordinator that crashes after a node's COMMIT would give the ids again.</summary>
    [Test]
    public async Task The_sequence_of_ids_is_flushed_before_a_node_commits([Values(1, 3)] int count)
    {
        await using var database = await StartAsync(asCitus: true);
        await RequireFlushAtCommitAsync(database.DataSource, "crawl_events");
        var (events, crawl) = await CreateCrawlAsync(database.DataSource);

        // The server's WAL writer may be faster, now and then.
        for (var append = 0; append < 20; append++)
        {
            await events.AppendAsync(new RowBatch<NewCrawlEvent>(crawl, [.. Enumerable.Repeat(Event, count)]), NotePositionAsync, CancellationToken.None);
        }

        Assert.That(await events.CountAsync(crawl), Is.EqualTo(20 * count));

        static Task NotePositionAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, AppendedRows rows) =>
            connection.ExecuteAsync(
                "select set_config('crawldata.wal_position', @position, true)", new { position = rows.Transaction!.Value.WalPosition.ToString() }, transaction);
    }

    [Test]
    public async Task The_sequence_of_a_log_is_flushed_before_a_node_commits()
    {
        await using var database = await StartAsync(asCitus: true);
        await RequireFlushAtCommitAsync(database.DataSource, "crawl_logs");

        // The id is drawn before the trigger runs.
        await using (var command = database.DataSource.CreateCommand(
            """
            create function note_position() returns trigger language plpgsql as
                $$ begin perform set_config('crawldata.wal_position', pg_current_wal_insert_lsn()::text, true); return new; end $$;
            create trigger note_position before insert on crawl_logs for each row execute function note_position()
            """))
        {
            await command.ExecuteNonQueryAsync();
        }

        var session = await new AuditSessionRepository(database.DataSource).InsertAsync(
            new NewAuditSession { Url = "https://example.org/", CrawlPolicyVersion = "1", ConfigSnapshot = Event.Payload });
        var logs = new CrawlLogRepository(database.DataSource);

        for (var append = 0; append < 20; append++)
        {
            await logs.AppendAsync(session.Id, new NewCrawlLog { EventType = CrawlLogEventType.Navigation, Message = "opened" });
        }

        Assert.That((await logs.ListAsync(session.Id)).Items, Has.Count.EqualTo(20));
    }

    private static NewCrawlEvent Event => new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    private static Task<ThrowawayDatabase> StartAsync(bool asCitus) => asCitus
        ? PretendedCitus.StartAsync()
        : ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });

    private static async Task<(CrawlEventRepository Events, Guid Crawl)> CreateCrawlAsync(NpgsqlDataSource dataSource) =>
        (new CrawlEventRepository(dataSource), (await new CrawlRunRepository(dataSource).InsertAsync(new NewCrawlRun { AppPackage = "a" })).Id);

    /// <summary>Runs a statement of PL/pgSQL within the first COMMIT of events. The number of commits outlives a rollback.</summary>
    private static async Task OnFirstCommitAsync(NpgsqlDataSource dataSource, string statement)
    {
        await using var command = dataSource.CreateCommand(
            $"""
            create sequence commits;
            create function at_commit() returns trigger language plpgsql as $$ begin
                if nextval('commits') = 1 then {statement}; end if;
                return null;
            end $$;
            create constraint trigger at_commit after insert on crawl_events deferrable initially deferred for each row execute function at_commit()
            """);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Refuses a COMMIT of rows whose sequence is not flushed up to the noted position.</summary>
    private static async Task RequireFlushAtCommitAsync(NpgsqlDataSource dataSource, string table)
    {
        await using var command = dataSource.CreateCommand(
            $"""
            create function at_commit() returns trigger language plpgsql as $$ begin
                if pg_current_wal_flush_lsn() < current_setting('crawldata.wal_position')::pg_lsn
                    and current_setting('pretended.has_flushed', true) is distinct from 'true'
                then
                    raise 'The WAL is not flushed.';
                end if;
                return null;
            end $$;
            create constraint trigger at_commit after insert on {table} deferrable initially deferred for each row execute function at_commit()
            """);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Appends in a transaction that is rolled back.</summary>
    private static async Task<AppendedRows> AbortAsync(NpgsqlDataSource dataSource, Guid crawl)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        return await InDoubtAppend.InsertAsync(connection, transaction, crawl);
    }
}

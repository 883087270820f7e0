using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Schema;

public sealed class EventPartitionerTests : MigratorTest
{
    private const int WaitingForLocks = 8;

    private static readonly NewCrawlEvent Event = new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    private CrawlEventRepository Events => new(DataSource);

    private static EventPartitionerOptions Options => new() { Width = 1_000, Ahead = 2, Margin = 10_000 };

    private EventPartitioner Partitioner => new(DataSource, Options);

    [SetUp]
    public Task MigrateAsync() => new SchemaMigrator(DataSource).MigrateAsync();

    [Test]
    public async Task A_partitioned_table_has_its_events_and_differs_from_the_scripts_in_nothing()
    {
        var crawl = await CreateCrawlAsync();
        var ids = (await Events.AppendAsync(crawl, Enumerable.Repeat(Event, 10))).ToList();
        await using var prepared = new NpgsqlConnection(Database.ConnectionString);
        await prepared.OpenAsync();
        await using var insert = new NpgsqlCommand("insert into crawl_events (crawl_id, event_type, payload) values ($1, 'own', '{}') returning id", prepared)
        {
            Parameters = { new NpgsqlParameter { Value = crawl } },
        };
        await insert.PrepareAsync();
        ids.Add((long)(await insert.ExecuteScalarAsync())!);

        var partitions = await Partitioner.PartitionAsync();

        Assert.That(
            partitions.Select(partition => (partition.Table, partition.FromId, partition.ToId)),
            Is.EqualTo(new (string, long?, long)[]
            {
                ("crawl_events_0_to_11000", null, 11_000), ("crawl_events_11000_to_12000", 11_000, 12_000),
                ("crawl_events_12000_to_13000", 12_000, 13_000), ("crawl_events_13000_to_14000", 13_000, 14_000),
            }));
        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
        Assert.That((await Events.ListAllAsync()).Events.Select(one => one.Id), Is.EqualTo(ids), "nothing was appended since");
        ids.Add((long)(await insert.ExecuteScalarAsync())!);
        Assert.That(ids[^1], Is.EqualTo(11_000), "the next event goes to the first new partition");
        ids.AddRange(await Events.AppendAsync(crawl, Enumerable.Repeat(Event, 1_500)));
        Assert.That((await Events.ListAllAsync(limit: 10_000)).Events.Select(one => one.Id), Is.EqualTo(ids));
        Assert.That(await Events.StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(ids.Count));
        await ExecuteAsync("analyze crawl_events");
        var status = (await new DatabaseStatusReader(DataSource).ReadAsync()).Tables.Single(table => table.Table == "crawl_events");
        Assert.That((status.EstimatedRows, status.SizeBytes), Is.EqualTo((ids.Count, (await Partitioner.ListAsync()).Sum(one => one.SizeBytes))));

        Assert.That(await Partitioner.PartitionAsync(), Has.Count.EqualTo(5), "two partitions are ahead again");
        Assert.That(await new CrawlRunRepository(DataSource).DeleteAsync(crawl));
        Assert.That(await ScalarAsync<long>("select count(*) from crawl_events"), Is.Zero, "the foreign key cascades");
    }

    /// <summary>Each line of the catalog that a conversion has to carry over, as the new table has it.</summary>
    [Test]
    public async Task A_partitioned_table_keeps_rights_policies_comments_indexes_and_publications()
    {
        await ExecuteAsync(
            """
            do $$ begin
                if to_regrole('partition_reader') is null then create role partition_reader; end if;
            exception when duplicate_object or unique_violation then null;
            end $$;
            alter default privileges grant select on tables to partition_reader;
            create index "more USING" on crawl_events (event_type) where event_type <> ' USING ';
            grant insert on crawl_events to partition_reader with grant option;
            grant update (payload) on crawl_events to public;
            comment on table crawl_events is 'the events';
            comment on column crawl_events.payload is 'the payload';
            comment on index idx_crawl_events_crawl_id is 'an index';
            comment on constraint crawl_events_crawl_id_fkey on crawl_events is 'a key';
            alter table crawl_events enable row level security, force row level security;
            create policy seen on crawl_events for select to partition_reader, public using (event_type <> 'secret');
            create policy written on crawl_events as restrictive for insert with check (event_type <> 'no');
            alter table crawl_events set (fillfactor = 90);
            create publication own for table crawl_events (id, crawl_id, payload) where (id > 0);
            create publication every for all tables;
            """);
        const string snapshot =
            """
            select string_agg(line, E'\n' order by line)
            from (
                select format('grant %s to %s by %s, %s', privilege_type, grantee, grantor, is_grantable) from pg_class, aclexplode(relacl)
                where pg_class.oid = 'crawl_events'::regclass
                union all
                select format('column grant %s %s to %s', attname, privilege_type, grantee) from pg_attribute, aclexplode(attacl)
                where attrelid = 'crawl_events'::regclass
                union all
                select format('policy %s %s %s %s %s %s', policyname, permissive, roles, cmd, qual, with_check)
                from pg_policies where tablename = 'crawl_events'
                union all
                select format('row security %s %s of %s', relrowsecurity, relforcerowsecurity, relowner) from pg_class where oid = 'crawl_events'::regclass
                union all
                select format('comment %s %s', objsubid, description) from pg_description where objoid = 'crawl_events'::regclass
                union all
                select 'comment ' || description from pg_description where objoid = 'idx_crawl_events_crawl_id'::regclass
                union all
                select format('constraint %s %s %s', conname, pg_get_constraintdef(pg_constraint.oid), description) from pg_constraint
                left join pg_description on objoid = pg_constraint.oid
                where conrelid = 'crawl_events'::regclass and contype in ('p', 'f')
                union all
                select replace(pg_get_indexdef(indexrelid), ' ONLY', '') from pg_index where indrelid = 'crawl_events'::regclass
                union all
                select format('publication %s %s %s', pubname, attnames, rowfilter) from pg_publication_tables where tablename = 'crawl_events'
                union all
                select 'sequence ' || pg_get_serial_sequence('crawl_events', 'id')
            ) as lines (line)
            """;
        var before = await ScalarAsync<string>(snapshot);

        await Partitioner.PartitionAsync();

        Assert.That(await ScalarAsync<string>(snapshot), Is.EqualTo(before));
        Assert.That(before!.Split('\n'), Has.Length.GreaterThan(15));
        Assert.That(await ScalarAsync<long>("select count(*) from pg_publication_rel"), Is.EqualTo(1), "the old table is published as a partition alone");
        Assert.That(
            await ScalarAsync<bool>("select bool_and(pubviaroot) from pg_publication"), "a subscriber gets the events as those of crawl_events");
        Assert.That(
            await ScalarAsync<long>(
                """
                select count(*) from pg_inherits join pg_class on oid = inhrelid
                where inhparent = 'crawl_events'::regclass and reloptions = '{fillfactor=90}'
                  and (pg_get_expr(relpartbound, oid) like '%MINVALUE%' or not has_table_privilege('partition_reader', oid, 'select'))
                """),
            Is.EqualTo(4), "new partitions have the options of the table, and rights on the table alone");
    }

    private static readonly string[] Steps = ["add the check", "validate the check", "swap the tables", "analyze the table"];

    [TestCaseSource(nameof(Steps))]
    public async Task An_interrupted_conversion_refuses_nothing_and_goes_on(string interrupted)
    {
        var crawl = await CreateCrawlAsync();
        var ids = (await Events.AppendAsync(crawl, Enumerable.Repeat(Event, 10))).ToList();
        var killed = new EventPartitioner(DataSource, Options)
        {
            BeforeStep = step => step == interrupted ? throw new InvalidOperationException(step) : Task.CompletedTask,
        };
        await Assert.ThatAsync(() => killed.PartitionAsync(), Throws.InvalidOperationException.With.Message.EqualTo(interrupted));

        ids.Add(await Events.AppendAsync(crawl, Event));
        ids.AddRange(await Events.AppendAsync(crawl, Enumerable.Repeat(Event, 1_500)));
        await Partitioner.PartitionAsync();

        ids.Add(await Events.AppendAsync(crawl, Event));
        Assert.That((await Events.ListAllAsync(limit: 10_000)).Events.Select(one => one.Id), Is.EqualTo(ids));
        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
    }

    [Test]
    public async Task An_interrupted_conversion_can_be_taken_back()
    {
        var killed = new EventPartitioner(DataSource, Options)
        {
            BeforeStep = step => step == "swap the tables" ? throw new InvalidOperationException(step) : Task.CompletedTask,
        };
        await Assert.ThatAsync(() => killed.PartitionAsync(), Throws.InvalidOperationException);
        Assert.That(
            (await new SchemaMigrator(DataSource).VerifySchemaAsync()).Select(difference => difference.Element),
            Is.EqualTo(["constraint crawl_events.crawl_events_partitioning"]));

        Assert.That((await Partitioner.AbandonAsync(), await Partitioner.AbandonAsync()), Is.EqualTo((true, false)));

        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
        Assert.That(await Partitioner.ListAsync(), Is.Empty);
        Assert.That(await Partitioner.MakeAheadAsync(), Is.Empty);
    }

    /// <summary>The sequence is moved as if very many events had been appended meanwhile.</summary>
    [Test]
    public async Task A_bound_that_the_ids_come_near_to_is_raised()
    {
        var crawl = await CreateCrawlAsync();
        var steps = new List<string>();
        var partitioner = new EventPartitioner(DataSource, Options)
        {
            BeforeStep = async step =>
            {
                steps.Add(step);
                if (steps.Count == 2)
                {
                    await ExecuteAsync("select setval('crawl_events_id_seq', 10990)");
                }
            },
        };

        var partitions = await partitioner.PartitionAsync();

        Assert.That(steps, Is.EqualTo(["add the check", "validate the check", "add the check", "validate the check", "swap the tables", "analyze the table"]));
        Assert.That(partitions[0].ToId, Is.EqualTo(31_000), "twice the margin");
        Assert.That(await Events.AppendAsync(crawl, Event), Is.EqualTo(31_000));
    }

    /// <summary>A lock keeps the validation running, and appends go on meanwhile. It goes red without the watch of the sequence.</summary>
    [Test]
    public async Task A_bound_that_the_ids_come_near_to_during_a_validation_is_raised()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var waiting = new LoggedEvents<EventPartitioner>(WaitingForLocks);
        var validations = 0;
        var partitioner = new EventPartitioner(DataSource, Options, waiting)
        {
            BeforeStep = async step =>
            {
                if (step == "validate the check" && ++validations == 1)
                {
                    await connection.ExecuteAsync("lock table crawl_events in share update exclusive mode", transaction: transaction);
                }
            },
        };

        var partitioning = partitioner.PartitionAsync();
        await UntilWaitingAsync("validate a check");
        await ExecuteAsync("select setval('crawl_events_id_seq', 10990)");
        await UntilWaitingAsync("drop a check");
        await transaction.CommitAsync();

        Assert.That((await partitioning)[0].ToId, Is.EqualTo(31_000), "twice the margin");
        Assert.That(validations, Is.EqualTo(2));

        Task UntilWaitingAsync(string purpose) => Wait.UntilAsync(
            () => Task.FromResult(partitioning.IsCompleted || waiting.Received.ToList().Any(text => text.Contains(purpose))), purpose);
    }

    /// <summary>The janitor's clock lets no pause take time. Its purge drops the empty partitions before them.</summary>
    [Test]
    public async Task The_janitor_makes_partitions_ahead()
    {
        await Partitioner.PartitionAsync();
        await ExecuteAsync("select setval('crawl_events_id_seq', 12500)");
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(DataSource).AddSingleton<TimeProvider>(new TimeWithoutPauses());
        builder.Services.AddCrawlData(options => options.MigrateAtStartup = false);
        builder.Services.AddCrawlDataJanitor(options => (options.PurgeCrawlsAfter, options.PartitionsAhead) = (TimeSpan.FromDays(365), 3));
        using var host = builder.Build();

        await host.StartAsync();
        await Wait.UntilAsync(async () => (await Partitioner.ListAsync())[^1].ToId == 16_000, "3 partitions are ahead");
        await host.StopAsync();
    }

    /// <summary>A purge that missed one of them would drop its events. The first page is small, because one crawl that lives keeps a partition.</summary>
    [Test]
    public async Task All_crawls_of_a_partition_are_listed_page_by_page()
    {
        var partition = (await Partitioner.PartitionAsync())[1];
        for (var count = 0; count <= 5; count++)
        {
            foreach (var pageSize in new[] { 2, 3, 4, 100 })
            {
                var partitioner = new EventPartitioner(DataSource, Options) { CrawlsInPage = pageSize };
                var pages = await partitioner.ListCrawlsAsync(partition, default).ToListAsync();

                Assert.That(pages.SelectMany(page => page), Is.EqualTo(await StoredAsync()), $"{count} crawls, {pageSize} a page");
                Assert.That(pages[0], Has.Count.AtMost(2));
            }

            await Events.AppendAsync(await CreateCrawlAsync(), Enumerable.Repeat(Event, 3));
        }

        async Task<IEnumerable<Guid>> StoredAsync()
        {
            await using var connection = await DataSource.OpenConnectionAsync();
            return await connection.QueryAsync<Guid>("select distinct crawl_id from crawl_events order by crawl_id desc");
        }
    }

    [Test]
    public async Task A_crawl_that_is_deleted_between_two_pages_hides_no_other()
    {
        var partition = (await Partitioner.PartitionAsync())[1];
        var crawls = new List<Guid>();
        for (var count = 0; count < 5; count++)
        {
            crawls.Add(await CreateCrawlAsync());
            await Events.AppendAsync(crawls[^1], Event);
        }

        var listed = new List<Guid>();
        await foreach (var page in new EventPartitioner(DataSource, Options).ListCrawlsAsync(partition, default))
        {
            listed.AddRange(page);
            await new CrawlRunRepository(DataSource).DeleteAsync(page[^1]);
        }

        Assert.That(listed, Is.EquivalentTo(crawls));
    }

    /// <summary>A statement through a view would go on with the old table alone.</summary>
    [Test]
    public async Task What_a_conversion_would_not_carry_over_is_named_and_nothing_is_changed()
    {
        await ExecuteAsync(
            """
            create view seen as select id from crawl_events;
            create function newest() returns setof crawl_events language sql as 'select * from crawl_events';
            create trigger own before update on crawl_events for each row execute function suppress_redundant_updates_trigger();
            create rule written as on delete to crawl_events do also notify deleted;
            create table marks (event_id bigint references crawl_events (id));
            alter table crawl_events add constraint long check (length(event_type) > 1), add constraint pair unique (crawl_id, id),
                replica identity full;
            create unique index single on crawl_events (crawl_id, id, event_type);
            create table child () inherits (crawl_events);
            """);

        var refused = await Assert.ThrowsAsync<PartitioningRefusedException>(() => Partitioner.PartitionAsync());

        string[] obstacles =
        [
            "rule _RETURN on view seen", "function newest()", "trigger own", "rule written", "constraint marks_event_id_fkey on table marks",
            "constraint long", "constraint pair", "index single", "inheritance", "table child", "replica identity",
        ];
        Assert.That(refused!.Obstacles, Is.EquivalentTo(obstacles));
        Assert.That(refused.Message, Does.Contain("trigger own"));
        Assert.That(await ScalarAsync<long>("select count(*) from pg_constraint where conname = 'crawl_events_partitioning'"), Is.Zero);
    }

    /// <summary>An open transaction keeps the tables from being swapped. Others are held up for less than a second each time, and the swap comes when it
    /// has ended.</summary>
    [Test]
    public async Task A_swap_waits_for_open_transactions_and_holds_up_nobody_meanwhile()
    {
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var waiting = new LogSignal("WaitingForLocks");
        var partitioner = new EventPartitioner(DataSource, Options, LoggerOf<EventPartitioner>(waiting))
        {
            BeforeStep = async step =>
            {
                if (step == "swap the tables")
                {
                    await Events.AppendAsync(crawl, Event, transaction);
                }
            },
        };

        var partitioning = partitioner.PartitionAsync();
        await waiting.Logged.WaitAsync(Wait.Longest);
        await Events.AppendAsync(other, Event);
        Assert.That(partitioning.IsCompleted, Is.False);
        await transaction.CommitAsync();

        Assert.That(await partitioning, Has.Count.EqualTo(4));
        Assert.That((await Events.ListAllAsync()).Events.Select(one => one.CrawlId), Is.EqualTo([crawl, other]));
    }

    [Test]
    public async Task Processes_that_make_partitions_ahead_at_a_time_make_each_once()
    {
        await Partitioner.PartitionAsync();
        var six = new EventPartitionerOptions { Ahead = 6 };

        var made = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => new EventPartitioner(DataSource, six).MakeAheadAsync()));

        Assert.That(made.SelectMany(one => one).Select(one => one.FromId), Is.EquivalentTo([14_000, 15_000, 16_000, 17_000]));
        Assert.That((await Partitioner.ListAsync()).Select(one => one.ToId), Is.Ordered.And.Exactly(8).Items, "each as wide as the one before");
    }

    [Test]
    public async Task Without_a_partition_the_writer_keeps_its_events_until_there_is_one()
    {
        var crawl = await CreateCrawlAsync();
        await Partitioner.PartitionAsync();
        await ExecuteAsync("select setval('crawl_events_id_seq', 13995)");
        var impatient = new CrawlEventRepository(DataSource, retry: new RetryOptions { Limit = TimeSpan.Zero });
        foreach (var count in new[] { 10, 1_500 })
        {
            var error = await Assert.ThrowsAsync<PostgresException>(() => impatient.AppendAsync(crawl, Enumerable.Repeat(Event, count)));
            Assert.That(ServerErrors.IsMissingPartition(error!) && !ServerErrors.IsRefusal(error!), error!.ToString());
        }

        var retrying = new LogSignal("Retrying");
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(DataSource, logger: LoggerOf<CrawlEventRepository>(retrying)));
        for (var number = 0; number < 10; number++)
        {
            await writer.WriteAsync(crawl, Event);
        }

        var flushing = writer.FlushAsync();
        await retrying.Logged.WaitAsync(Wait.Longest);
        Assert.That(flushing.IsCompleted, Is.False);
        Assert.That(await Partitioner.MakeAheadAsync(), Is.Not.Empty);
        await flushing;

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(10));
    }

    [Test]
    public async Task The_doctor_finds_missing_partitions_unfinished_work_and_what_keeps_old_partitions()
    {
        var killed = new EventPartitioner(DataSource, Options)
        {
            BeforeStep = step => step == "swap the tables" ? throw new InvalidOperationException(step) : Task.CompletedTask,
        };
        await Assert.ThatAsync(() => killed.PartitionAsync(), Throws.InvalidOperationException);
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event);
        Assert.That(await FindAsync(), Is.EqualTo([("constraint crawl_events_partitioning", FindingSeverity.Warning)]));

        await Partitioner.PartitionAsync();
        Assert.That(await FindAsync(), Is.Empty);
        await ExecuteAsync("select setval('crawl_events_id_seq', 11999)");
        Assert.That(
            await FindAsync(),
            Is.EqualTo([("table crawl_events", FindingSeverity.Warning), ($"run {crawl}", FindingSeverity.Warning)]), "one partition is ahead");
        await ExecuteAsync("select setval('crawl_events_id_seq', 12999)");
        Assert.That(await FindAsync(), Has.Member(("table crawl_events", FindingSeverity.Error)));
        var check = new CrawlDataHealthCheck(DataSource);
        var health = await check.CheckHealthAsync(
            new HealthCheckContext { Registration = new HealthCheckRegistration("crawldata", check, HealthStatus.Unhealthy, null) });
        Assert.That((health.Status, health.Description), Is.EqualTo((
            HealthStatus.Degraded,
            "table crawl_events is partitioned for 1,000 more ids, with 0 partitions ahead. Without a partition for the next id, appends wait. "
                + "crawldata doctor says how to mend it.")));

        await Partitioner.MakeAheadAsync();
        await ExecuteAsync("alter table crawl_events detach partition crawl_events_11000_to_12000 concurrently");
        Assert.That(await FindAsync(), Does.Contain(("table crawl_events_11000_to_12000", FindingSeverity.Warning)));

        async Task<List<(string, FindingSeverity)>> FindAsync() =>
            [.. (await new DatabaseDoctor(DataSource).CheckAllAsync()).Where(one => one.Check == "partitions").Select(one => (one.Subject, one.Severity))];
    }

    private static Logger<T> LoggerOf<T>(LogSignal signal) => new(new OneLoggerFactory(signal));

    private async Task<Guid> CreateCrawlAsync() =>
        (await new CrawlRunRepository(DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
}

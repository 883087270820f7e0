using CrawlData.Audits;
using CrawlData.Crawls;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Storage;

/// <summary>A role's or database's <c>default_transaction_isolation</c>: the library's own statements run at READ COMMITTED all the same.</summary>
public sealed class DefaultIsolationTests : EmptiedDatabaseTest
{
    private const string RepeatableRead = "repeatable read";
    private const string Serializable = "serializable";

    [Test]
    public async Task Concurrent_claims_get_different_sessions([Values(RepeatableRead, Serializable)] string isolation)
    {
        var sessions = await Sessions.InsertAsync([.. Enumerable.Range(1, 100).Select(number => Session($"https://example.org/{number}"))]);
        await using var dataSource = WithDefault(isolation);
        var queue = new AuditSessionQueue(dataSource);

        var claimed = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            var ids = new List<Guid>();
            while (await queue.ClaimNextAsync() is { } session)
            {
                ids.Add(session.Id);
                (await queue.CompleteAsync(session.Id, session.Attempts)).EnsureApplied();
            }

            return ids;
        })));

        // Near its end a claim may find all the rest locked. The workers that hold them go on.
        Assert.That(claimed.SelectMany(ids => ids), Is.EquivalentTo(sessions.Select(session => session.Id)));
    }

    [Test]
    public async Task A_write_that_waits_for_another_transaction_goes_on_after_its_commit([Values(RepeatableRead, Serializable)] string isolation)
    {
        var (claimed, started, deletedRun) = (await CreateCrawlAsync(), await CreateCrawlAsync(), await CreateCrawlAsync());
        var (session, deletedSession) = (await EnqueueAsync(), await EnqueueAsync());
        await Queue.StartAsync(session);
        var claim = (await RunQueue.ClaimNextAsync())!;
        var page = await Pages.InsertAsync(session, Page());
        var artifact = await Artifacts.InsertAsync(session, Artifact(page.Id));
        await using var dataSource = WithDefault(isolation);
        await using var holder = await DataSource.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await holder.ExecuteAsync(
            """
            update crawl_runs set goal = 'another';
            update audit_sessions set low_confidence = true;
            update audit_pages set load_timings = '{"ms": 1}';
            update artifacts set size_bytes = 2;
            """);

        Task[] writes =
        [
            ApplyAsync(new CrawlRunRepository(dataSource).StartAsync(started)),
            ApplyAsync(new CrawlRunQueue(dataSource).CompleteAsync(claim)),
            ApplyAsync(new AuditSessionQueue(dataSource).CompleteAsync(session, 1)),
            ApplyAsync(new AuditPageRepository(dataSource).SetStatusAsync(session, page.Id, PageStatus.Ok)),
            AffectAsync(new CrawlRunRepository(dataSource).DeleteAsync(deletedRun)),
            AffectAsync(new AuditSessionRepository(dataSource).DeleteAsync(deletedSession)),
            AffectAsync(MarkDeletedAsync(new ArtifactRepository(dataSource))),
        ];
        await Wait.UntilAsync(
            DataSource,
            $"select count(*) = {writes.Length} from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0");
        await transaction.CommitAsync();

        Assert.That(claim.Run.Id, Is.EqualTo(claimed));
        await Assert.ThatAsync(() => Task.WhenAll(writes), Throws.Nothing);

        async Task<bool> MarkDeletedAsync(ArtifactRepository artifacts) => await artifacts.MarkDeletedAsync(session, [artifact.Id]) == 1;

        static async Task ApplyAsync<T>(Task<Transition<T>> transition) where T : class => (await transition).EnsureApplied();

        static async Task AffectAsync(Task<bool> write) => Assert.That(await write, Is.True);
    }

    [Test]
    public async Task A_follower_sees_what_is_committed_between_its_reads([Values(RepeatableRead, Serializable)] string isolation)
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event(1));
        await using var dataSource = WithDefault(isolation);
        var events = new CrawlEventRepository(dataSource);
        await using var following = events.FollowAsync(crawl).GetAsyncEnumerator();
        await using var followingAll = events.FollowAllAsync().GetAsyncEnumerator();
        Assert.That(await following.MoveNextAsync() && await followingAll.MoveNextAsync(), Is.True);

        var id = await Events.AppendAsync(crawl, Event(2));

        Assert.That(await following.MoveNextAsync() && await followingAll.MoveNextAsync(), Is.True);
        Assert.That(following.Current.Id, Is.EqualTo(id));
        Assert.That(followingAll.Current.Events.Single().Id, Is.EqualTo(id));
    }

    [Test]
    public async Task The_application_s_statements_on_the_same_connection_keep_their_default([Values(RepeatableRead, Serializable)] string isolation)
    {
        await using var dataSource = WithDefault(isolation, settings => (settings.MaxPoolSize, settings.NoResetOnClose) = (1, true));
        await new AuditSessionQueue(dataSource).ClaimNextAsync();
        await new AuditSessionRepository(dataSource).CountByStatusAsync();

        await using var connection = await dataSource.OpenConnectionAsync();

        Assert.That(await connection.QueryAsync<string>("show transaction_isolation"), Is.EqualTo(new[] { isolation }));
        Assert.That(await connection.QueryAsync<string>("show default_transaction_isolation"), Is.EqualTo(new[] { isolation }));
    }

    [Test]
    public async Task A_write_in_the_caller_s_transaction_keeps_its_isolation_level()
    {
        await EnqueueAsync();
        await using var dataSource = WithDefault(Serializable);
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);

        await new AuditSessionQueue(dataSource).ClaimNextAsync(transaction);

        Assert.That(await connection.QueryAsync<string>("show transaction_isolation"), Is.EqualTo(new[] { RepeatableRead }));
    }

    private NpgsqlDataSource WithDefault(string isolation, Action<NpgsqlConnectionStringBuilder>? configure = null)
    {
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString)
        {
            Options = $"-c default_transaction_isolation={isolation.Replace(" ", "\\ ", StringComparison.Ordinal)}",
        };
        configure?.Invoke(settings);
        return NpgsqlDataSource.Create(settings);
    }
}

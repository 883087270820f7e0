using CrawlData.Audits;
using CrawlData.Retention;
using Npgsql;

namespace CrawlData.Tests.Retention;

public class ArtifactSweeperTests : EmptiedDatabaseTest
{
    private static readonly DateTimeOffset Past = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Test]
    public async Task Expired_stored_artifacts_are_swept_the_longest_expired_first()
    {
        var expired = await InsertAsync(25);
        await InsertAsync(1, artifact => artifact with { RetentionUntil = DateTimeOffset.UtcNow.AddHours(1) });
        await InsertAsync(1, artifact => artifact with { RetentionUntil = null, KeepForever = true });
        await InsertAsync(1, artifact => artifact with { RetentionUntil = null });
        var gone = (await InsertAsync(1))[0];
        await Artifacts.MarkDeletedAsync(gone.SessionId, [gone.Id]);
        var batches = new List<IReadOnlyList<ExpiredArtifact>>();

        var total = await Sweeper.SweepAsync(new DelegateStore((batch, _) => Note(batches, batch, batch)), batchSize: 10);

        Assert.That(batches.Select(batch => batch.Count), Is.EqualTo(new[] { 10, 10, 5 }));
        Assert.That(batches.SelectMany(batch => batch), Is.EqualTo(expired.Select(artifact => new ExpiredArtifact
        {
            Id = artifact.Id,
            SessionId = artifact.SessionId,
            StorageUri = artifact.StorageUri,
            Checksum = artifact.Checksum,
            SizeBytes = artifact.SizeBytes,
            RetentionUntil = artifact.RetentionUntil!.Value,
        })));
        Assert.That(total, Is.EqualTo(new SweepTotal { Expired = 25, ExpiredBytes = 325, Deleted = 25, DeletedBytes = 325 }));
        Assert.That(await MarkedAsync(), Is.EquivalentTo(expired.Append(gone).Select(artifact => artifact.Id)));
    }

    [Test]
    public async Task Only_artifacts_that_the_store_deleted_are_marked_and_the_others_are_swept_again()
    {
        var expired = await InsertAsync(20);
        var refused = expired.Where(artifact => artifact.SizeBytes % 3 == 0).Select(artifact => artifact.Id).ToHashSet();
        var batches = new List<IReadOnlyList<ExpiredArtifact>>();

        var first = await Sweeper.SweepAsync(
            new DelegateStore((batch, _) => Note(batches, batch, batch.Where(artifact => !refused.Contains(artifact.Id)))), batchSize: 7);
        var second = await Sweeper.SweepAsync(new DelegateStore((batch, _) => Note(batches, batch, [])), batchSize: 7);

        Assert.That(batches.Take(3).SelectMany(batch => batch).Select(artifact => artifact.Id), Is.EqualTo(expired.Select(artifact => artifact.Id)));
        Assert.That(batches.Skip(3).SelectMany(batch => batch).Select(artifact => artifact.Id), Is.EquivalentTo(refused));
        Assert.That((first.Expired, first.Deleted, second.Expired, second.Deleted), Is.EqualTo((20, 14, 6, 0)));
        Assert.That(await MarkedAsync(), Is.EquivalentTo(expired.Select(artifact => artifact.Id).Except(refused)));
    }

    /// <summary>A sum of bytes over the largest number is that number.</summary>
    [Test]
    public async Task Artifacts_of_any_size_are_swept()
    {
        await InsertAsync(4, artifact => artifact with { SizeBytes = long.MaxValue });

        var total = await Sweeper.SweepAsync(new DelegateStore((batch, _) => Acknowledge(batch)), batchSize: 2);

        Assert.That(total, Is.EqualTo(new SweepTotal { Expired = 4, ExpiredBytes = long.MaxValue, Deleted = 4, DeletedBytes = long.MaxValue }));
    }

    [Test]
    public async Task A_progress_that_throws_ends_the_sweep_after_its_batch_was_marked()
    {
        var expired = await InsertAsync(20);

        await Assert.ThatAsync(
            () => Sweeper.SweepAsync(new DelegateStore((batch, _) => Acknowledge(batch)), batchSize: 8, progress: new ThrowingProgress()),
            Throws.InstanceOf<TimeoutException>());

        Assert.That(await MarkedAsync(), Is.EquivalentTo(expired.Take(8).Select(artifact => artifact.Id)));
    }

    [Test]
    public async Task A_store_that_reports_other_artifacts_marks_nothing()
    {
        await InsertAsync(1);
        var other = (await InsertAsync(1, artifact => artifact with { RetentionUntil = null, KeepForever = true }))[0];

        var total = await Sweeper.SweepAsync(
            new DelegateStore((batch, _) => Acknowledge([batch[0] with { Id = other.Id }, batch[0] with { Id = Guid.NewGuid() }])));

        Assert.That((total.Expired, total.Deleted), Is.EqualTo((1, 0)));
        Assert.That(await MarkedAsync(), Is.Empty);
    }

    [Test]
    public async Task Concurrent_sweeps_never_share_an_artifact()
    {
        await InsertAsync(300);
        var held = new HashSet<Guid>();
        var handed = new List<Guid>();
        var (inside, two) = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => Sweeper.SweepAsync(
            new DelegateStore(async (batch, _) =>
            {
                lock (held)
                {
                    Assert.That(batch.Select(artifact => artifact.Id).All(held.Add), "two have it");
                    handed.AddRange(batch.Select(artifact => artifact.Id));
                    if (++inside == 2)
                    {
                        two.TrySetResult();
                    }
                }

                // The first one waits for a second one.
                await two.Task.WaitAsync(Wait.Longest, CancellationToken.None);
                lock (held)
                {
                    inside--;
                    held.ExceptWith(batch.Select(artifact => artifact.Id));
                }

                return batch;
            }),
            batchSize: 10))));

        Assert.That(handed, Is.Unique.And.Count.EqualTo(300));
        Assert.That(await MarkedAsync(), Is.EquivalentTo(handed));
    }

    [Test]
    public async Task A_throwing_store_ends_the_sweep_and_its_batch_stays_unmarked()
    {
        var expired = await InsertAsync(20);
        var calls = 0;

        var exception = await Assert.ThrowsAsync<IOException>(() => Sweeper.SweepAsync(
            new DelegateStore((batch, _) => ++calls == 2 ? throw new IOException("storage") : Acknowledge(batch)), batchSize: 8));

        Assert.That(exception!.Message, Is.EqualTo("storage"));
        Assert.That(await MarkedAsync(), Is.EquivalentTo(expired.Take(8).Select(artifact => artifact.Id)));
    }

    /// <summary>Goes red when the mark or its commit uses the token.</summary>
    [Test]
    public async Task Deleted_artifacts_are_marked_even_when_the_sweep_is_cancelled()
    {
        var expired = await InsertAsync(20);
        using var cancellation = new CancellationTokenSource();

        await Assert.ThatAsync(() => Sweeper.SweepAsync(
            new DelegateStore(async (batch, _) =>
            {
                await cancellation.CancelAsync();
                return batch;
            }),
            batchSize: 8,
            cancellationToken: cancellation.Token), Throws.InstanceOf<OperationCanceledException>());

        Assert.That(await MarkedAsync(), Is.EquivalentTo(expired.Take(8).Select(artifact => artifact.Id)));
    }

    [Test]
    public async Task Expired_artifacts_are_streamed_and_stay_unmarked()
    {
        var expired = await InsertAsync(1_500);

        var streamed = await Sweeper.StreamExpiredAsync().ToListAsync();

        Assert.That(streamed.Select(artifact => artifact.Id), Is.EqualTo(expired.Select(artifact => artifact.Id)));
        Assert.That(await MarkedAsync(), Is.Empty);
    }

    /// <summary>The store throws before, during and after its deletion, and connections are terminated before the artifacts are marked.</summary>
    [Test]
    public async Task A_sweep_interrupted_at_random_and_repeated_marks_exactly_the_deleted_artifacts()
    {
        var random = new Random(7);
        var expired = await InsertAsync(400);
        var kept = (await InsertAsync(50, artifact => artifact with { RetentionUntil = DateTimeOffset.UtcNow.AddDays(1) })).Select(artifact => artifact.Id)
            .ToHashSet();
        var stuck = expired.Where(artifact => artifact.SizeBytes % 40 == 0).Select(artifact => artifact.Id).ToHashSet();
        var storage = expired.Select(artifact => artifact.Id).Concat(kept).ToHashSet();
        var (ended, deaths) = (false, 0);

        async Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> batch)
        {
            var deaf = random.Next(6);
            if (deaf == 0)
            {
                throw new IOException("died before");
            }

            var acknowledged = new List<ExpiredArtifact>();
            foreach (var artifact in batch.Where(artifact => !stuck.Contains(artifact.Id)))
            {
                storage.Remove(artifact.Id);
                acknowledged.Add(artifact);
                if (deaf == 1 && random.Next(batch.Count) == 0)
                {
                    throw new IOException("died in the middle");
                }
            }

            if (deaf == 2)
            {
                await ExecuteAsync(
                    "select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'");
            }

            return acknowledged;
        }

        while (!ended)
        {
            try
            {
                await Sweeper.SweepAsync(new DelegateStore((batch, _) => DeleteAsync(batch)), batchSize: 20);
                ended = true;
            }
            catch (Exception exception) when (exception is IOException or NpgsqlException)
            {
                deaths++;
                Assert.That(storage.Intersect(await MarkedAsync()), Is.Empty, "marked, and still in its storage");
            }
        }

        Assert.That(deaths, Is.GreaterThan(5));
        Assert.That(await MarkedAsync(), Is.EquivalentTo(expired.Select(artifact => artifact.Id).Except(stuck)));
        Assert.That(storage, Is.EquivalentTo(stuck.Union(kept)));
    }

    /// <summary>Otherwise each sweep would pass the artifacts again, and mark none.</summary>
    [Test]
    public async Task A_store_that_takes_longer_than_the_role_s_idle_time_out_does_not_end_the_sweep()
    {
        await InsertAsync(3);
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString)
        {
            Options = "-c idle_in_transaction_session_timeout=500ms",
            ApplicationName = "sweep",
        });

        var total = await new ArtifactSweeper(dataSource).SweepAsync(new DelegateStore(async (batch, _) =>
        {
            await Wait.UntilAsync(
                DataSource,
                "select not exists (select from pg_stat_activity where application_name = 'sweep' and state_change > clock_timestamp() - interval '1 second')");
            return batch;
        }));

        Assert.That(total.Deleted, Is.EqualTo(3));
        Assert.That(await MarkedAsync(), Has.Count.EqualTo(3));
    }

    [TestCase(0)]
    [TestCase(ArtifactSweeper.MaxBatchSize + 1)]
    public void A_batch_size_out_of_range_is_refused(int batchSize) =>
        Assert.That(
            () => Sweeper.SweepAsync(new DelegateStore((batch, _) => Acknowledge(batch)), batchSize),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("batchSize"));

    /// <summary>Inserts artifacts of one page, of sizes from 1 on, that expired one second after the other.</summary>
    private async Task<IReadOnlyList<Artifact>> InsertAsync(int count, Func<NewArtifact, NewArtifact>? change = null)
    {
        var session = await EnqueueAsync();
        var page = (await Pages.InsertAsync(session, Page())).Id;
        return await Artifacts.InsertAsync(session, Enumerable.Range(1, count).Select(number =>
        {
            var artifact = Artifact(page, number) with { RetentionUntil = Past.AddSeconds(number), Checksum = $"sha256:{number}" };
            return change is null ? artifact : change(artifact);
        }));
    }

    private Task<List<Guid>> MarkedAsync() => QueryAsync<Guid>("select id from artifacts where deleted_at is not null");

    private static Task<IReadOnlyList<ExpiredArtifact>> Acknowledge(IEnumerable<ExpiredArtifact> batch) =>
        Task.FromResult<IReadOnlyList<ExpiredArtifact>>([.. batch]);

    private static Task<IReadOnlyList<ExpiredArtifact>> Note(
        List<IReadOnlyList<ExpiredArtifact>> batches, IReadOnlyList<ExpiredArtifact> batch, IEnumerable<ExpiredArtifact> acknowledged)
    {
        batches.Add(batch);
        return Acknowledge(acknowledged);
    }

    private sealed class ThrowingProgress : IProgress<SweepTotal>
    {
        public void Report(SweepTotal value) => throw new TimeoutException();
    }
}

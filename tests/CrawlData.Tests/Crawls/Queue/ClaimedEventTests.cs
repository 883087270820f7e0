using CrawlData.Crawls;
using CrawlData.Storage;

namespace CrawlData.Tests.Crawls;

/// <summary>Events that are written with a claim.</summary>
public class ClaimedEventTests : CrawlRunQueueTest
{

    [Test]
    public async Task A_worker_appends_with_its_claim_as_without_one([Values(1, 3, 1_000)] int count)
    {
        var claim = await ClaimNewAsync();

        var ids = await Events.AppendAsync(claim, EventsOf(count));
        var one = await Events.AppendAsync(claim, Event(count + 1));
        var streamed = await Events.AppendStreamAsync(claim, EventsOf(2).ToAsyncEnumerable());

        Assert.That(ids.Append(one), Is.Ordered.And.Unique);
        Assert.That(streamed, Is.EqualTo(2));
        Assert.That(await Events.CountAsync(claim.Run.Id), Is.EqualTo(count + 3));
        Assert.That(await Events.AppendAsync(claim, []), Is.Empty);
    }

    /// <summary>As the writer appends.</summary>
    [Test]
    public async Task Claimed_events_of_available_runs_are_appended_at_the_first_attempt([Values(1, 3, 1_000)] int count)
    {
        var claim = await ClaimNewAsync();
        var batch = new RowBatch<NewCrawlEvent>(
            [.. EventsOf(count).Select(crawlEvent => (claim.Run.Id, crawlEvent))], [.. Enumerable.Repeat<RowClaim?>(claim.ToRowClaim(), count)]);

        var appended = await Events.AppendAvailableAsync(batch, beforeCommit: null);

        Assert.That(appended.Ids, Has.Count.EqualTo(count).And.Ordered);
    }

    [Test]
    public async Task Events_of_a_lost_claim_are_refused_and_leave_the_caller_s_transaction_usable()
    {
        var (lost, valid) = (await ClaimNewAsync(), await ClaimNewAsync());
        await Runs.FailAsync(lost.Run.Id, "taken for dead");
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        await Assert.ThatAsync(() => Events.AppendAsync(lost, Event(1), transaction), IsLost());
        await Assert.ThatAsync(() => Events.AppendAsync(lost, EventsOf(3), transaction), IsLost());
        await Assert.ThatAsync(() => Events.AppendAsync(lost, EventsOf(1_000), transaction), IsLost());
        await Assert.ThatAsync(() => Events.AppendStreamAsync(lost, EventsOf(3).ToAsyncEnumerable(), transaction), IsLost());
        await Assert.ThatAsync(
            () => Events.AppendAsync([(valid, Event(1)), (valid, Event(2)), (lost, Event(3))], transaction), IsLost().And.Property("Index").EqualTo(2));
        await Events.AppendAsync(valid, Event(4), transaction);
        await transaction.CommitAsync();

        Assert.That((await Events.CountAsync(lost.Run.Id), await Events.CountAsync(valid.Run.Id)), Is.EqualTo((0, 1)));
        await Events.AppendAsync(lost.Run.Id, Event(5));
        await Runs.DeleteAsync(lost.Run.Id);
        await Assert.ThatAsync(
            () => Events.AppendAsync([(valid, Event(6)), (lost, Event(7))]),
            Throws.InstanceOf<RowNotFoundException>().With.Property("Ids").EqualTo(new[] { lost.Run.Id }));

        NUnit.Framework.Constraints.Constraint IsLost() =>
            Throws.InstanceOf<ClaimLostException>().With.Property("CrawlId").EqualTo(lost.Run.Id).And.Property("Claim").EqualTo(1);
    }

    /// <summary>Goes red without the check of the run's status under its lock.</summary>
    [Test]
    public async Task An_append_that_waits_while_its_run_is_failed_as_stale_is_refused([Values(1, 1_000)] int count)
    {
        var claim = await ClaimNewAsync();
        await SilenceAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        Assert.That(await RunQueue.FailStaleAsync(Silence, transaction: transaction), Has.Count.EqualTo(1));

        var waiting = Events.AppendAsync(claim, EventsOf(count));
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await transaction.CommitAsync();

        await Assert.ThatAsync(() => waiting, Throws.InstanceOf<ClaimLostException>());
        Assert.That(await Events.CountAsync(claim.Run.Id), Is.Zero);
    }

    /// <summary>Goes red without the lock of the claim's row: the statement's snapshot has the old number.</summary>
    [Test]
    public async Task An_append_that_waits_while_its_run_is_claimed_again_is_refused([Values(1, 1_000)] int count)
    {
        var old = await ClaimNewAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await RunQueue.ReleaseAsync(old, transaction);
        var successor = (await RunQueue.ClaimNextAsync(transaction))!;

        var waiting = Events.AppendAsync(old, EventsOf(count));
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await transaction.CommitAsync();

        await Assert.ThatAsync(() => waiting, Throws.InstanceOf<ClaimLostException>());
        await Events.AppendAsync(successor, Event(1));
        Assert.That(await Events.CountAsync(old.Run.Id), Is.EqualTo(1));
    }

    [Test]
    public async Task A_writer_fails_only_the_events_of_the_lost_claim()
    {
        var (lost, valid) = (await ClaimNewAsync(), await ClaimNewAsync());
        var (unclaimed, unknown) = (await CreateCrawlAsync(), Guid.NewGuid());
        await RunQueue.ReleaseAsync(lost);
        await using var writer = new CrawlEventWriter(Events, new CrawlEventWriterOptions { Linger = TimeSpan.FromMinutes(1) });

        var written = new[]
        {
            writer.WriteAsync(lost, Event(1)),
            writer.WriteAsync(valid, Event(2)),
            writer.WriteAsync(unclaimed, Event(3)),
            writer.WriteAsync(unknown, Event(4)),
            writer.WriteAsync(lost.Run.Id, Event(5)),
            writer.WriteAsync(lost, Event(6)),
        };
        await Task.WhenAll(written);
        await Assert.ThatAsync(() => writer.FlushAsync().WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());

        var unstored = writer.TakeUnstored(lost.Run.Id);
        Assert.That(unstored.Select(one => one.Event), Is.EqualTo(new[] { Event(1), Event(6) }));
        Assert.That(unstored.Select(one => one.Error), Is.All.InstanceOf<ClaimLostException>());
        Assert.That(writer.TakeUnstored().Single().CrawlId, Is.EqualTo(unknown));
        Assert.That((await Events.CountAsync(valid.Run.Id), await Events.CountAsync(unclaimed), await Events.CountAsync(lost.Run.Id)), Is.EqualTo((1, 1, 1)));
        await Assert.ThatAsync(() => writer.AppendAsync(lost, Event(7)), Throws.InstanceOf<ClaimLostException>());
        Assert.That(await writer.AppendAsync(valid, Event(8)), Is.Positive);
    }

    /// <summary>The batch waits for the run's lock beside the writer's flushes.</summary>
    [Test]
    public async Task A_writer_whose_events_wait_for_a_locked_run_fails_them_when_the_claim_is_lost()
    {
        var claim = await ClaimNewAsync();
        await using var writer = new CrawlEventWriter(Events);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await RunQueue.FailAsync(claim, "an operator", transaction);

        var waiting = writer.AppendAsync(claim, Event(1));
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await transaction.CommitAsync();

        await Assert.ThatAsync(() => waiting.WaitAsync(Wait.Longest), Throws.InstanceOf<ClaimLostException>());
    }

    [Test]
    public async Task A_spool_replays_an_event_with_its_claim_unless_the_run_was_handed_back([Values("failed", "released", "running")] string end)
    {
        using var folder = new TestFolder();
        var claim = await ClaimNewAsync();
        await using (var spool = new Spool(folder.Path))
        {
            await spool.Write(new SpooledEvent { Sequence = 1, CrawlId = claim.Run.Id, Event = Event(1), Claim = claim.Number }).Completed;
            await spool.Write(new SpooledEvent { Sequence = 2, CrawlId = claim.Run.Id, Event = Event(2) }).Completed;
        }

        _ = end switch
        {
            "failed" => await Runs.FailAsync(claim.Run.Id, "taken for dead"),
            "released" => await RunQueue.ReleaseAsync(claim),
            _ => null,
        };
        var options = new CrawlEventWriterOptions { SpoolDirectory = folder.Path };
        await using (var writer = new CrawlEventWriter(Events, options))
        {
            var flush = writer.FlushAsync();
            await Assert.ThatAsync(
                () => flush.WaitAsync(Wait.Longest), end == "released" ? Throws.InstanceOf<CrawlEventsNotStoredException>() : Throws.Nothing);
            if (end != "released")
            {
                // A claim that was acknowledged outlives its run, and a new event does not.
                await Assert.ThatAsync(
                    () => writer.AppendAsync(claim, Event(3)), end == "failed" ? Throws.InstanceOf<ClaimLostException>() : Throws.Nothing);
            }
        }

        var stored = (await Events.ListAsync(claim.Run.Id)).Items;
        Assert.That(stored.Select(one => one.Payload), Is.EqualTo(end switch
        {
            "failed" => new[] { Event(1).Payload, Event(2).Payload },
            "released" => [Event(2).Payload],
            _ => [Event(1).Payload, Event(2).Payload, Event(3).Payload],
        }));
        Assert.That(CrawlEventSpool.Read(folder.Path).Events, Is.EqualTo(end == "released" ? 1 : 0), "kept in the spool");
    }
}

using CrawlData.Crawls;
using CrawlData.Storage;

namespace CrawlData.Tests.Crawls;

/// <summary>The files of a spool. No case needs a server.</summary>
[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class SpoolTests : IDisposable
{
    private static readonly Guid Crawl = Guid.NewGuid();

    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Test]
    public async Task Events_are_read_as_they_were_written()
    {
        List<NewCrawlEvent> events =
        [
            new()
            {
                EventType = "größer",
                Payload = Jsonb.Parse("""{"a": [1, 2.50, "ü"]}"""),
                CreatedAt = new DateTimeOffset(2026, 11, 27, 1, 2, 3, TimeSpan.FromHours(5)),
            },
            new() { EventType = "step", Payload = default },
        ];
        await using (var spool = new Spool(folder.Path))
        {
            await Task.WhenAll(events.Select((one, index) => WriteAsync(spool, index + 1, one)));
        }

        await using var again = new Spool(folder.Path);
        Assert.That(again.Events.Select(one => one.Event), Is.EqualTo(events));
        Assert.That(again.Events.Select(one => (one.Sequence, one.CrawlId)), Is.EqualTo(new[] { (1L, Crawl), (2L, Crawl) }));
        Assert.That(again.LastSequence, Is.EqualTo(2));
    }

    [Test]
    public async Task A_write_is_on_the_disk_before_it_completes()
    {
        await using var spool = new Spool(folder.Path, path => new FaultySpoolFile(path, () => false));
        for (var number = 1; number <= 3; number++)
        {
            await WriteAsync(spool, number);
            Assert.That(Sequences(folder.Crash()), Is.EqualTo(Enumerable.Range(1, number)));
        }
    }

    [Test]
    public async Task An_end_that_a_crash_left_incomplete_loses_only_what_was_not_acknowledged()
    {
        await using var spool = new Spool(folder.Path);
        await WriteAsync(spool, 1);
        var whole = new FileInfo(folder.Files.Single()).Length;
        await WriteAsync(spool, 2);
        var end = new FileInfo(folder.Files.Single()).Length;
        for (var length = whole; length < end; length += 9)
        {
            var crashed = folder.Crash();
            var path = Directory.GetFiles(crashed, "*.spool").Single();
            await using (var file = File.OpenWrite(path))
            {
                file.SetLength(length);
            }

            Assert.That(Sequences(crashed), Is.EqualTo(new[] { 1 }), $"{length}");

            // What is written next follows the last whole record.
            await using (var again = new Spool(crashed))
            {
                await WriteAsync(again, 3);
            }

            Assert.That(Sequences(crashed), Is.EqualTo(new[] { 1, 3 }), $"{length}");
        }
    }

    [Test]
    public async Task A_damage_in_the_middle_is_reported_with_its_file_and_offset()
    {
        var offsets = new List<long>();
        await using var spool = new Spool(folder.Path);
        for (var number = 1; number <= 3; number++)
        {
            await WriteAsync(spool, number);
            offsets.Add(new FileInfo(folder.Files.Single()).Length);
        }

        for (var at = SpoolSegment.HeaderBytes; at < offsets[1]; at += 3)
        {
            var crashed = folder.Crash();
            var path = Directory.GetFiles(crashed, "*.spool").Single();
            var bytes = await File.ReadAllBytesAsync(path);
            bytes[at] ^= 0x40;
            await File.WriteAllBytesAsync(path, bytes);

            var exception = Assert.Throws<SpoolDamagedException>(() => new Spool(crashed));

            Assert.That((exception!.File, exception.Offset), Is.EqualTo((path, at < offsets[0] ? SpoolSegment.HeaderBytes : offsets[0])), $"{at}");
            Assert.That(await File.ReadAllBytesAsync(path), Is.EqualTo(bytes));
        }
    }

    [Test]
    public async Task A_missing_file_is_reported()
    {
        await using var spool = new Spool(folder.Path, segmentBytes: 1);
        for (var number = 1; number <= 3; number++)
        {
            await WriteAsync(spool, number);
        }

        var crashed = folder.Crash();
        File.Delete(Directory.GetFiles(crashed, "*.spool").Order(StringComparer.Ordinal).ElementAt(1));

        Assert.Throws<SpoolDamagedException>(() => new Spool(crashed));
    }

    [Test]
    public async Task A_second_writer_on_a_folder_is_refused_until_the_first_one_is_disposed()
    {
        await using (new Spool(folder.Path))
        {
            var exception = Assert.Throws<SpoolInUseException>(() => new Spool(folder.Path));
            Assert.That(exception!.Directory, Is.EqualTo(folder.Path));
            Assert.Throws<SpoolInUseException>(() => CrawlEventSpool.Read(folder.Path));
        }

        await using var next = new Spool(folder.Path);
    }

    [Test]
    public async Task Events_that_are_stored_or_taken_are_not_read_again()
    {
        await using var spool = new Spool(folder.Path);
        var events = await WriteAsync(spool, 1, 6);
        var (stored, rolledBack, open) = (Batch(spool, events[..2]), Batch(spool, events[2..3]), Batch(spool, events[3..4]));
        await Task.WhenAll(spool.WriteAsync(stored), spool.WriteAsync(rolledBack), spool.WriteAsync(open));
        spool.WriteStored(stored);
        spool.WriteRolledBack(rolledBack);
        spool.WriteTaken(events[4..5]);
        await WriteAsync(spool, 7);

        var crashed = folder.Crash();
        Assert.That(Sequences(crashed), Is.EqualTo(new[] { 3, 4, 6, 7 }));
        await using var again = new Spool(crashed);
        var inDoubt = again.Batches.Single();
        Assert.That(inDoubt.Events.Select(one => one.Sequence), Is.EqualTo(new[] { 4 }));
        Assert.That(inDoubt.RowIds, Is.EqualTo(open.RowIds));
        var (rows, expected) = (inDoubt.ToRows(), open.ToRows());
        Assert.That(rows.Ids, Is.EqualTo(expected.Ids));
        Assert.That(rows with { Ids = [], ParentIds = [] }, Is.EqualTo(expected with { Ids = [], ParentIds = [] }));
        Assert.That(inDoubt.Cluster, Is.EqualTo(open.Cluster));
    }

    [Test]
    public async Task A_folder_has_no_files_when_everything_is_stored()
    {
        await using (var spool = new Spool(folder.Path, segmentBytes: 100))
        {
            for (var number = 1; number <= 20; number++)
            {
                await StoreAsync(spool, await WriteAsync(spool, number, 1));
            }

            Assert.That(folder.Files, Has.Length.LessThan(10));
        }

        Assert.That(folder.Files, Is.Empty);
    }

    [Test]
    public async Task An_event_that_stays_does_not_keep_the_files_of_later_ones()
    {
        await using (var spool = new Spool(folder.Path, segmentBytes: 200))
        {
            var stays = await WriteAsync(spool, 1, 2);
            await spool.WriteAsync(Batch(spool, stays[..1]));
            for (var number = 3; number <= 40; number++)
            {
                await StoreAsync(spool, await WriteAsync(spool, number, 1));
            }
        }

        Assert.That(folder.Files, Has.Length.LessThan(12));
        Assert.That(Sequences(folder.Path), Is.EqualTo(new[] { 1, 2 }));
        await using var again = new Spool(folder.Path);
        Assert.That(again.Batches.Single(batch => batch.Events[0].Sequence == 1).Events, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_full_disk_fails_the_writes_and_leaves_nothing_of_them()
    {
        var isFull = false;
        await using var spool = new Spool(folder.Path, path => new FaultySpoolFile(path, () => isFull));
        var events = await WriteAsync(spool, 1, 2);
        isFull = true;

        var exception = await Assert.ThrowsAsync<SpoolWriteException>(() => WriteAsync(spool, 3));
        Assert.That(exception!.Directory, Is.EqualTo(folder.Path));
        Assert.That(Sequences(folder.Crash()), Is.EqualTo(new[] { 1, 2 }));

        // This is written as soon as it can be.
        spool.WriteTaken(events[..1]);
        await Assert.ThrowsAsync<SpoolWriteException>(() => WriteAsync(spool, 4));
        isFull = false;
        await WriteAsync(spool, 5);

        Assert.That(Sequences(folder.Crash()), Is.EqualTo(new[] { 2, 5 }));
    }

    [Test]
    public async Task Concurrent_writes_share_a_wait_for_the_disk()
    {
        var (flushes, gate) = (0, new ManualResetEventSlim());
        await using var spool = new Spool(folder.Path, path => new FaultySpoolFile(path, () =>
        {
            Interlocked.Increment(ref flushes);
            gate.Wait();
            return false;
        }));
        var writes = Enumerable.Range(1, 1_000).Select(number => WriteAsync(spool, number)).ToArray();
        gate.Set();
        await Task.WhenAll(writes);

        // One for the header, one for the events that came before the first write, and one for the others.
        Assert.That(flushes, Is.LessThanOrEqualTo(3));
    }

    private static IEnumerable<long> Sequences(string directory)
    {
        using var opened = new SpoolFolder(directory, create: false);
        return [.. opened.Read(truncate: false).State.Events.Select(one => one.Sequence)];
    }

    private static Task WriteAsync(Spool spool, int sequence, NewCrawlEvent crawlEvent) =>
        spool.Write(new SpooledEvent { Sequence = sequence, CrawlId = Crawl, Event = crawlEvent }).Completed;

    private static Task WriteAsync(Spool spool, int sequence) => WriteAsync(spool, sequence, new NewCrawlEvent { EventType = "step", Payload = default });

    private static async Task<List<SpooledEvent>> WriteAsync(Spool spool, int first, int count)
    {
        List<SpooledEvent> events = [.. Enumerable.Range(first, count).Select(sequence =>
            new SpooledEvent { Sequence = sequence, CrawlId = Crawl, Event = new NewCrawlEvent { EventType = "step", Payload = default } })];
        await Task.WhenAll(events.Select(one => spool.Write(one).Completed));
        return events;
    }

    private static async Task StoreAsync(Spool spool, List<SpooledEvent> events)
    {
        var batch = Batch(spool, events);
        await spool.WriteAsync(batch);
        spool.WriteStored(batch);
    }

    private static SpooledBatch Batch(Spool spool, List<SpooledEvent> events) => new()
    {
        Id = spool.NextBatchId(),
        Events = events,
        RowIds = [.. events.Select(one => 1_000_000_007 - (3 * one.Sequence))],
        Transaction = new TransactionIdentity(17, new Instant(2), new Instant(1), new(33), 99, false),
        Cluster = 7,
        FirstId = 5,
        FirstParentId = Crawl,
        HasTransactionTime = true,
    };
}

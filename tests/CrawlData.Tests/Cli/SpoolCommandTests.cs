using CrawlData.Crawls;
using CrawlData.Storage;
using CrawlData.Tests.Crawls;

namespace CrawlData.Tests.Cli;

public sealed class SpoolCommandTests : ToolTest
{
    [Test]
    public async Task Spooled_events_are_listed_and_replayed_and_those_in_doubt_need_a_decision([Values("store", "discard")] string decision)
    {
        using var folder = new TestFolder();
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using (var spool = new Spool(folder.Path))
        {
            var events = new[] { crawl, crawl, other }
                .Select((id, index) => new SpooledEvent { Sequence = index + 1, CrawlId = id, Event = Event(index) })
                .ToList();
            await Task.WhenAll(events.Select(one => spool.Write(one).Completed));
            await spool.WriteAsync(new SpooledBatch
            {
                Id = spool.NextBatchId(),
                Events = events[..1],
                RowIds = [77],
                Transaction = new TransactionIdentity((1UL << 60) + 5, new Instant(0), new Instant(0), new(1), 1, false),
                Cluster = 7,
                FirstId = 77,
                FirstParentId = crawl,
                HasTransactionTime = true,
            });

            // Another process has the folder.
            AssertFailed(
                await RunAsync("spool", folder.Path),
                1,
                $"crawldata: The spool {folder.Path} is in use by another writer. Each writer needs a folder of its own.");
        }

        var listed = await RunAsync("spool", folder.Path);
        AssertDone(listed);
        Assert.That(listed.Output.ReplaceLineEndings("\n"), Is.EqualTo(
            $$"""
            {"crawl_id":"{{crawl}}","events":2}
            {"crawl_id":"{{other}}","events":1}
            {"crawl_id":"{{crawl}}","first_id":77,"events_in_doubt":1,"started_at":"2000-01-01T00:00:00.000Z"}

            """));
        var undecided = await RunAsync("spool", folder.Path, "--replay");
        AssertFailed(
            undecided,
            1,
            "crawldata: 2 events of 1 crawls are not stored. The first error: The outcome of an append to crawl_events, from id 77 on, is unknown: "
                + "an earlier process sent its COMMIT, and the outcome could not be verified.");
        Assert.That(await Events.CountAsync(other), Is.EqualTo(1));

        AssertDone(await RunAsync("spool", folder.Path, "--replay", "--in-doubt", decision));

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(decision == "store" ? 2 : 1));
        Assert.That(folder.Files, Is.Empty);
    }

    [Test]
    public async Task A_missing_folder_and_wrong_options_are_reported()
    {
        using var folder = new TestFolder();

        var missing = await RunAsync("spool", folder.Path);
        Assert.That((missing.ExitCode, missing.Error), Is.EqualTo((2, $"crawldata: {folder.Path}: there is no such folder.\n")));
        Directory.CreateDirectory(folder.Path);
        AssertFailed(
            await RunAsync("spool", folder.Path, "--in-doubt", "store"), 2, "crawldata: --in-doubt needs --replay; see crawldata spool --help.");
    }
}

namespace CrawlData.Tests.Cli;

public sealed class PurgeArchiveTests : ToolTest
{
    [Test]
    public async Task It_archives_crawls_before_it_deletes_them()
    {
        var crawl = await CreateCrawlAsync();
        await Runs.CancelAsync(crawl);
        await Events.AppendAsync(crawl, EventsOf(3));
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            foreach (var copy in new[] { "", "-2" })
            {
                AssertDone(await RunAsync("purge", "--crawls", "0h", "--archive", folder.FullName));

                Assert.That(await Runs.GetAsync(crawl), Is.Null);
                AssertDone(await RunAsync("import", Path.Combine(folder.FullName, $"{crawl}{copy}.ndjson.gz")));
                Assert.That(await Events.CountAsync(crawl), Is.EqualTo(3));
            }

            AssertDone(await RunAsync("purge", "--crawls", "0h", "--archive", folder.FullName, "--parquet"));
            Assert.That(File.Exists(Path.Combine(folder.FullName, $"{crawl}", "crawl_events.parquet")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}

namespace CrawlData.Tests.Crawls;

/// <summary>What an append allocates does not depend on the machine. The tests are built without optimization, where an asynchronous method allocates more. A
/// release allocates about 3,000 bytes for one event, 65 bytes an event for 100, and 25 for 1,000: the benchmarks' gate has these limits.</summary>
[NonParallelizable]
public sealed class AppendAllocationTests : DatabaseTest
{
    [TestCase(1, 8_500)]
    [TestCase(100, 115)]
    [TestCase(1_000, 115)]
    public async Task An_append_allocates_little(int count, int most)
    {
        var crawl = await CreateCrawlAsync();
        var events = EventsOf(count).ToArray();

        // The least of several rounds: a round may also hold what the runtime allocates once.
        var bytes = long.MaxValue;
        for (var round = 0; round < 10; round++)
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            for (var call = 0; call < 20; call++)
            {
                await (count == 1 ? Events.AppendAsync(crawl, events[0]) : (Task)Events.AppendAsync(crawl, events));
            }

            bytes = Math.Min(bytes, (GC.GetTotalAllocatedBytes(precise: true) - before) / 20);
        }

        Assert.That(bytes / count, Is.LessThanOrEqualTo(most), $"{bytes} bytes for {count} events");
    }
}

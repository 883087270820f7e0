using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Events written by several producers at once, each to the crawls in turns.</summary>
public static class Producing
{
    /// <summary>Each event is awaited before its producer goes on.</summary>
    public static Task AppendAsync(this CrawlEventWriter writer, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers) =>
        ProduceAsync(producers, events.Length, number => writer.AppendAsync(crawls[number % crawls.Count], events[number]));

    /// <summary>All events are awaited together, at the end.</summary>
    public static async Task WriteAsync(this CrawlEventWriter writer, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers)
    {
        await ProduceAsync(producers, events.Length, number => writer.WriteAsync(crawls[number % crawls.Count], events[number]));
        await writer.FlushAsync();
    }

    public static Task ProduceAsync(int producers, int count, Func<int, Task> produce) =>
        Task.WhenAll(Enumerable.Range(0, producers).Select(producer => Task.Run(async () =>
        {
            for (var number = producer; number < count; number += producers)
            {
                await produce(number);
            }
        })));
}

using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Stores events from several concurrent producers, round-robin over the crawls.</summary>
public static class ConcurrentProducers
{
    /// <summary>Lets producers take turns.</summary>
    /// <param name="producers">The number of producers.</param>
    /// <param name="count">The number of events.</param>
    /// <param name="produce">Stores the event of a number.</param>
    public static Task RunAsync(int producers, int count, Func<int, Task> produce) =>
        Task.WhenAll(Enumerable.Range(0, producers).Select(producer => Task.Run(async () =>
        {
            for (var number = producer; number < count; number += producers)
            {
                await produce(number);
            }
        })));

    /// <summary>Appends events through a writer. A producer awaits each of its events.</summary>
    public static Task AppendAsync(this CrawlEventWriter writer, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers) =>
        RunAsync(producers, events.Length, number => writer.AppendAsync(crawls[number % crawls.Count], events[number]));

    /// <summary>Writes events through a writer, and flushes it at the end.</summary>
    public static async Task WriteAsync(this CrawlEventWriter writer, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers)
    {
        await RunAsync(producers, events.Length, number => writer.WriteAsync(crawls[number % crawls.Count], events[number]));
        await writer.FlushAsync();
    }

    /// <summary>Writes events through a writer with a spool, and flushes it at the end. A producer awaits a hundred writes at once, which share a wait for the
    /// disk.</summary>
    public static async Task WriteInGroupsAsync(this CrawlEventWriter writer, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers)
    {
        const int GroupSize = 100;
        var groups = Enumerable.Range(0, events.Length).Chunk(GroupSize).ToArray();
        await RunAsync(
            producers,
            groups.Length,
            group => Task.WhenAll(groups[group].Select(number => writer.WriteAsync(crawls[number % crawls.Count], events[number]))));
        await writer.FlushAsync();
    }

    /// <summary>Inserts events by single committed INSERTs written by hand.</summary>
    public static Task InsertAsync(NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers) =>
        RunAsync(producers, events.Length, number => HandWritten.InsertAsync(dataSource, crawls[number % crawls.Count], events[number]));

    /// <summary>Inserts events by single committed INSERTs that are prepared, as the writer's statements are.</summary>
    public static Task InsertPreparedAsync(NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers) =>
        RunAsync(producers, events.Length, number => HandWritten.InsertPreparedAsync(dataSource, crawls[number % crawls.Count], events[number]));

    /// <summary>Inserts events by prepared INSERTs, each in a transaction of its own, whose COMMIT is a round trip of its own, as an append's is.</summary>
    public static Task InsertInTransactionsAsync(NpgsqlDataSource dataSource, IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers) =>
        RunAsync(
            producers, events.Length, number => HandWritten.InsertPreparedInTransactionAsync(dataSource, crawls[number % crawls.Count], events[number]));
}

using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Peers;

/// <summary>A library, or a way of using one, that stores and reads events.</summary>
internal abstract class Peer : IAsyncDisposable
{
    public abstract string Name { get; }

    /// <summary>What it does more or less than CrawlData, in a sentence.</summary>
    public abstract string Difference { get; }

    /// <summary>A type of each package whose version is told.</summary>
    public abstract IReadOnlyList<Type> Packages { get; }

    /// <summary>Stores what is read, for a peer that has tables of its own.</summary>
    public virtual Task SeedAsync(IReadOnlyList<Guid> crawls, NewCrawlEvent[] events) => Task.CompletedTask;

    /// <summary>Ways of reading a crawl's events in their order; each returns how many they were.</summary>
    public abstract IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl);

    /// <summary>Ways of appending these events to a crawl in one committed transaction. What an application has at hand, such as JSON as text, is made
    /// before.</summary>
    public abstract IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events);

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

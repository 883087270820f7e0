using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Peers;

/// <summary>A library, or a way of using one, that stores and reads events.</summary>
internal abstract class Peer : IAsyncDisposable
{
    public abstract string Name { get; }

    /// <summary>Gets the guarantees in which the peer differs from the others, in sentences.</summary>
    public abstract string Difference { get; }

    /// <summary>Gets a type of each package whose version the report shows.</summary>
    public abstract IReadOnlyList<Type> Packages { get; }

    /// <summary>Stores the events to read, for a peer with tables of its own.</summary>
    public virtual Task SeedAsync(IReadOnlyList<Guid> crawls, NewCrawlEvent[] events) => Task.CompletedTask;

    /// <summary>Returns the methods that read a crawl's events in their order. Each returns the number of events.</summary>
    public abstract IEnumerable<(string Name, Func<Task<int>> Read)> Reads(Guid crawl);

    /// <summary>Returns the methods that append these events to a crawl in one committed transaction. The implementation converts the events beforehand to what
    /// an application would have, such as JSON text.</summary>
    public abstract IEnumerable<(string Name, Func<Task> Append)> Appends(Guid crawl, NewCrawlEvent[] events);

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

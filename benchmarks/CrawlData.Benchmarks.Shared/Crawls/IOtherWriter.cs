using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>A writer of another build, which <see cref="WriterComparison"/> measures beside today's.</summary>
public interface IOtherWriter : IAsyncDisposable
{
    string Name { get; }

    /// <inheritdoc cref="ConcurrentProducers.AppendAsync"/>
    Task AppendAsync(IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers);

    /// <inheritdoc cref="ConcurrentProducers.WriteAsync"/>
    Task WriteAsync(IReadOnlyList<Guid> crawls, NewCrawlEvent[] events, int producers);
}

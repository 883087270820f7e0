namespace CrawlData.DependencyInjection;

/// <summary>The handler of a queue, so that another one for the same queue is refused.</summary>
/// <param name="Queue">The name of the queue's options.</param>
/// <param name="Type">The handler.</param>
internal sealed record RegisteredHandler(string Queue, Type Type);

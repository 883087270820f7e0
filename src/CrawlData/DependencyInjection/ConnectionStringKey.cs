namespace CrawlData.DependencyInjection;

/// <summary>The key of a data source that was made from a connection string. No registration of the application has it.</summary>
/// <param name="Key">The key of the database's services; null for services without one.</param>
internal sealed record ConnectionStringKey(string? Key);

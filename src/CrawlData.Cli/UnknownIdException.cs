namespace CrawlData.Cli;

/// <summary>An id on the command line is not in the database.</summary>
internal sealed class UnknownIdException(string noun, Guid id) : Exception($"There is no {noun} {id}.");

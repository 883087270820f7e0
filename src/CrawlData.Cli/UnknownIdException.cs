namespace CrawlData.Cli;

/// <summary>An id on the command line is not in the database, or its first digits are those of several rows.</summary>
internal sealed class UnknownIdException(string message) : Exception(message)
{
    public UnknownIdException(string noun, Guid id) : this($"There is no {noun} {id}.")
    {
    }
}

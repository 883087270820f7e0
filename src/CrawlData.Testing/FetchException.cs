namespace CrawlData.Testing;

/// <summary>Thrown when server programs cannot be fetched. The search for a server reports its message.</summary>
internal sealed class FetchException(FetchFailure failure, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>Gets the reason.</summary>
    public FetchFailure Failure { get; } = failure;
}

namespace CrawlData.Dashboard.Artifacts;

/// <summary>Thrown when an artifact cannot be served. The message is for its reader, and says nothing about where the artifact is.</summary>
internal sealed class ArtifactException(int status, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>Gets the status code of the response.</summary>
    public int Status => status;
}

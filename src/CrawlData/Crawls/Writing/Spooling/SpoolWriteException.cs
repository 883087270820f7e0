namespace CrawlData.Crawls;

/// <summary>Thrown when an event could not be written to the spool, for example because the disk is full. The event is not written, and the writer goes
/// on.</summary>
public sealed class SpoolWriteException : CrawlDataException
{
    internal SpoolWriteException(string directory, Exception innerException)
        : base($"The spool {directory} cannot be written: {innerException.Message}", innerException) => Directory = directory;

    /// <summary>Gets the folder.</summary>
    public string Directory { get; }
}

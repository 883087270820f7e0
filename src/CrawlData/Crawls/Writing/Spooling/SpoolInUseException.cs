namespace CrawlData.Crawls;

/// <summary>Thrown when a spool folder is in use by another <see cref="CrawlEventWriter"/>, of this process or of another one. When its process ends, in
/// whatever way, the folder is free again.</summary>
public sealed class SpoolInUseException : CrawlDataException
{
    internal SpoolInUseException(string directory, Exception innerException)
        : base($"The spool {directory} is in use by another writer. Each writer needs a folder of its own.", innerException) => Directory = directory;

    /// <summary>Gets the folder.</summary>
    public string Directory { get; }
}

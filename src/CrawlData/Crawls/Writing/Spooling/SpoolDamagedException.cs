namespace CrawlData.Crawls;

/// <summary>Thrown when a file of a spool is damaged before its end, or when a file is missing. Nothing was changed, and nothing is skipped.</summary>
/// <remarks>A damage at the very end is no error: it is a write that a crash interrupted, and that was never acknowledged.</remarks>
public sealed class SpoolDamagedException : CrawlDataException
{
    internal SpoolDamagedException(string file, long offset, string reason) : base($"The spool file {file} is damaged at offset {offset}: {reason}.") =>
        (File, Offset) = (file, offset);

    /// <summary>Gets the path of the file.</summary>
    public string File { get; }

    /// <summary>Gets the offset of the first byte that cannot be read.</summary>
    public long Offset { get; }
}

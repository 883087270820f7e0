namespace CrawlData.Recordings;

/// <summary>Thrown when a line of NDJSON is invalid. When <see cref="RecordingImporter"/> throws it, nothing of the recording is stored. <see
/// cref="CrawlEventLineReader"/> returns it with the line.</summary>
public sealed class RecordingException : CrawlDataException
{
    internal RecordingException(long line, string reason, Exception? innerException = null) : base($"Line {line}: {reason}", innerException)
    {
        Line = line;
        Reason = reason;
    }

    /// <summary>Gets the number of the line, counted from 1.</summary>
    public long Line { get; }

    /// <summary>Gets the reason why the line is invalid. It may name ids and numbers of the line, and quotes no text of it.</summary>
    public string Reason { get; }
}

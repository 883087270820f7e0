namespace CrawlData.Recordings;

/// <summary>A line of NDJSON is invalid. <see cref="RecordingImporter"/> throws it, and then has stored nothing of the recording; <see
/// cref="CrawlEventLineReader"/> returns it with the line.</summary>
public sealed class RecordingException : CrawlDataException
{
    internal RecordingException(long line, string reason, Exception? innerException = null) : base($"Line {line}: {reason}", innerException)
    {
        Line = line;
        Reason = reason;
    }

    /// <summary>The line, counted from 1.</summary>
    public long Line { get; }

    /// <summary>What is wrong with it, in words.</summary>
    public string Reason { get; }
}

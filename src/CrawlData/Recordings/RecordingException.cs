namespace CrawlData.Recordings;

/// <summary>Thrown when a line of NDJSON is invalid. When <see cref="RecordingImporter"/> throws it, nothing of the recording is stored, and <see
/// cref="Errors"/> has all invalid lines that it found. <see cref="CrawlEventLineReader"/> returns it with the line.</summary>
public sealed class RecordingException : CrawlDataException
{
    internal RecordingException(long line, string reason, Exception? innerException = null) : base($"Line {line}: {reason}", innerException)
    {
        Line = line;
        Reason = reason;
        Errors = [this];
    }

    /// <summary>Makes the exception of an import that found several invalid lines.</summary>
    /// <param name="errors">The errors, one at least.</param>
    internal RecordingException(IReadOnlyList<RecordingException> errors) : base(
        errors.Count == 1 ? errors[0].Message : $"{errors[0].Message} {errors.Count - 1} more invalid lines follow.", errors[0].InnerException)
    {
        Line = errors[0].Line;
        Reason = errors[0].Reason;
        Errors = errors;
    }

    /// <summary>Gets the number of the line, counted from 1.</summary>
    public long Line { get; }

    /// <summary>Gets the reason why the line is invalid. It may name columns, ids and numbers of the line, and quotes no other text of it.</summary>
    public string Reason { get; }

    /// <summary>Gets the errors of all invalid lines that were found, in the order of the lines. The first is that of <see cref="Line"/>.</summary>
    public IReadOnlyList<RecordingException> Errors { get; }
}

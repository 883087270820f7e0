using CrawlData.Recordings;

namespace CrawlData.Cli;

/// <summary>A line of a recording cannot be imported. The message is <c>FILE:LINE: reason</c>.</summary>
internal sealed class RecordingLineException(string source, RecordingException cause)
    : Exception($"{source}:{cause.Line}: {cause.Reason}{Advice(cause)}", cause)
{
    private static string Advice(RecordingException cause) =>
        cause.InnerException is RowAlreadyExistsException ? " Use --new-ids to import it with another id." : "";
}

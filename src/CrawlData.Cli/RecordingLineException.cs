using CrawlData.Recordings;

namespace CrawlData.Cli;

/// <summary>Lines of a recording, or a line of standard input, cannot be stored. The message has a line <c>FILE:LINE: reason</c> for each.</summary>
internal sealed class RecordingLineException(string source, RecordingException cause, int maxErrors = 1) : Exception(Describe(source, cause, maxErrors), cause)
{
    private static string Describe(string source, RecordingException cause, int maxErrors)
    {
        var lines = cause.Errors.Select(error => $"{source}:{error.Line}: {error.Reason}{Advice(error)}".Printable());
        return cause.Errors.Count == 1 ? lines.Single() : string.Join(
            Environment.NewLine,
            lines.Append(cause.Errors.Count < maxErrors
                ? $"crawldata: {cause.Errors.Count} lines are invalid. Nothing was stored."
                : $"crawldata: {cause.Errors.Count} lines are invalid, and there may be more. Nothing was stored."));
    }

    private static string Advice(RecordingException cause) =>
        cause.InnerException is RowAlreadyExistsException ? " Use --new-ids to import it with another id." : "";
}

using System.Diagnostics.CodeAnalysis;
using CrawlData.Crawls;

namespace CrawlData.Recordings;

/// <summary>A line that <see cref="CrawlEventLineReader"/> read. It has either an event, or the error that makes the line invalid.</summary>
public sealed class CrawlEventLine
{
    internal CrawlEventLine(long number, NewCrawlEvent crawlEvent)
    {
        Number = number;
        Event = crawlEvent;
    }

    internal CrawlEventLine(RecordingException error)
    {
        Number = error.Line;
        Error = error;
    }

    /// <summary>Gets the number of the line, counted from 1. Empty lines are counted.</summary>
    public long Number { get; }

    /// <summary>Gets the event; null when the line is invalid.</summary>
    public NewCrawlEvent? Event { get; }

    /// <summary>Gets the error; null when the line is valid. Its message does not quote the line.</summary>
    public RecordingException? Error { get; }

    /// <summary>Gets whether the line is an event.</summary>
    [MemberNotNullWhen(true, nameof(Event))]
    [MemberNotNullWhen(false, nameof(Error))]
    public bool IsValid => Event is not null;
}

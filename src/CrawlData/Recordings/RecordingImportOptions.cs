namespace CrawlData.Recordings;

/// <summary>Options for the import of a recording.</summary>
public sealed class RecordingImportOptions
{
    /// <summary>Gets whether runs, sessions, pages and artifacts get new ids. Then a recording can be imported several times. Otherwise they keep their ids,
    /// and an id that exists already is an error.</summary>
    /// <value>The default is false.</value>
    public bool NewIds { get; init; }

    /// <summary>Gets whether U+0000, lone surrogates and bytes that are not UTF-8 are replaced with U+FFFD. Otherwise a line with one of them is an
    /// error.</summary>
    /// <value>The default is false.</value>
    public bool Repair { get; init; }

    /// <summary>Gets whether work is imported: runs that are PENDING, and sessions that are queued or running. Workers start and claim it, or rescue and then
    /// claim it. A URL or app of the recording is then visited from your network. Otherwise a recording with work is an error.</summary>
    /// <value>The default is false.</value>
    public bool Enqueue { get; init; }

    /// <summary>Gets whether artifacts keep a retention time that has passed, so that the next sweep deletes what their storage URI names. Otherwise such an
    /// artifact gets no retention time, and no sweep deletes it. A time that passes after the import takes effect in either case.</summary>
    /// <value>The default is false.</value>
    public bool AllowExpired { get; init; }

    /// <summary>Gets the most invalid lines that are reported. The import stores nothing once a line is invalid, and reads on to find others.</summary>
    /// <value>The default is 20; the least is 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int MaxErrors { get; init => field = ArgumentRange.RequireAtLeastOne(value, nameof(MaxErrors)); } = 20;
}

namespace CrawlData.Recordings;

/// <summary>How to import a recording.</summary>
public sealed class RecordingImportOptions
{
    /// <summary>Whether runs, sessions, pages and artifacts get new ids, so that one recording can be imported several times. Off unless set: an id that is taken
    /// is an error.</summary>
    public bool NewIds { get; init; }

    /// <summary>Whether U+0000, lone surrogates and bytes that are not UTF-8 become U+FFFD. Off unless set: then a line that holds one is an error.</summary>
    public bool Repair { get; init; }
}

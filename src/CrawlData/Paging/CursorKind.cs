namespace CrawlData;

/// <summary>The listing that a cursor belongs to, with its order. It is the first byte of the cursor. When the form of a cursor changes, its kind gets a new
/// number.</summary>
internal enum CursorKind : byte
{
    Events = 7,
    AllEvents = 8,
    RunsNewestFirst = 9,
    RunsOldestFirst = 10,
    SessionsNewestFirst = 11,
    SessionsOldestFirst = 12,
    Logs = 13,
    EventsNewestFirst = 14,
    LogsNewestFirst = 15,
    ExpiredArtifacts = 16,
    ExpiringArtifacts = 17,
}

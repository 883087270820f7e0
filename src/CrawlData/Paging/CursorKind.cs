namespace CrawlData;

/// <summary>The listing that a cursor belongs to, with its order. It is the first byte of the cursor. When the form of a cursor changes, its kind gets a new
/// number.</summary>
internal enum CursorKind : byte
{
    RunsNewestFirst = 2,
    RunsOldestFirst = 3,
    SessionsNewestFirst = 4,
    SessionsOldestFirst = 5,
    Logs = 6,
    Events = 7,
    AllEvents = 8,
}

namespace CrawlData;

/// <summary>What a cursor is of: a listing, and its order. It is the first byte of a cursor's text; a cursor of another form takes another number.</summary>
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

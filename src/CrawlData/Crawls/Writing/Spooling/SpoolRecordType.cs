namespace CrawlData.Crawls;

/// <summary>The records of a spool. The values are in the files.</summary>
internal enum SpoolRecordType : byte
{
    /// <summary>An event was written.</summary>
    Event = 1,

    /// <summary>A transaction has inserted a batch of events, and is about to be committed.</summary>
    Intent = 2,

    /// <summary>A batch is stored.</summary>
    Stored = 3,

    /// <summary>A batch was rolled back. Its events are to be stored yet.</summary>
    RolledBack = 4,

    /// <summary>The application took events out of the writer.</summary>
    Taken = 5,

    /// <summary>An event was written under a claim.</summary>
    ClaimedEvent = 6,
}

namespace CrawlData.Tests.Faults.Checker;

/// <summary>The promises of the library that a history can break, by how it breaks them.</summary>
internal enum Promise
{
    /// <summary>A row that was acknowledged, and that nothing may have deleted, is not stored.</summary>
    Lost,

    /// <summary>A row is stored twice.</summary>
    Doubled,

    /// <summary>A row is stored though it was refused, given back or never written.</summary>
    Unexpected,

    /// <summary>A row has another id, or another parent, than was acknowledged.</summary>
    WrongId,

    /// <summary>A batch is stored in part.</summary>
    Partial,

    /// <summary>A row has a lower id than one that was stored before it.</summary>
    OutOfOrder,

    /// <summary>A follower did not get an event.</summary>
    Missed,

    /// <summary>A follower got an event twice, out of order, or one that is not stored.</summary>
    Misdelivered,

    /// <summary>A flush succeeded before an event was stored, or given back.</summary>
    FlushedEarly,

    /// <summary>The writer stored an event behind one that it gave back after an outage.</summary>
    StoredBehindHeld,

    /// <summary>The writer gave an event back more often than it was written.</summary>
    TakenTwice,

    /// <summary>An event failed with the error of another event.</summary>
    NotAlone,

    /// <summary>A call that the library retries ended with a transient error, or with none that its arguments explain.</summary>
    GaveUp,

    /// <summary>A call did not return.</summary>
    Hung,

    /// <summary>A call passed on the exception of an application's callback.</summary>
    CallbackLeaked,

    /// <summary>Two workers had one attempt, or a worker changed a session that it had lost.</summary>
    TwoWorkers,

    /// <summary>A transition was refused without a reason, applied twice, or undone.</summary>
    WrongTransition,

    /// <summary>A sweep passed an artifact that is not expired, or that was marked before.</summary>
    SweptWrongly,

    /// <summary>An ambient transaction was joined: a write was not refused, or a read saw a snapshot.</summary>
    JoinedAmbient,
}

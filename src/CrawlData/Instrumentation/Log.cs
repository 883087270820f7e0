using Microsoft.Extensions.Logging;

namespace CrawlData.Instrumentation;

/// <summary>The library's log events. Each has an id and a name. An error is named by its SQLSTATE or type, because its text may quote crawled
/// content.</summary>
internal static partial class Log
{
    /// <summary>Wraps a logger, which may be null, in one that does not throw.</summary>
    public static ILogger Guarded(this ILogger? logger) => new GuardedLogger(logger);

    [LoggerMessage(1, LogLevel.Information, "Applied schema script {Script}.", EventName = "SchemaScriptApplied")]
    public static partial void ScriptApplied(ILogger logger, string script);

    [LoggerMessage(
        2, LogLevel.Information, "Marked schema script {Script} as applied. The database has all that the script makes.", EventName = "SchemaScriptAdopted")]
    public static partial void ScriptAdopted(ILogger logger, string script);

    [LoggerMessage(
        3,
        LogLevel.Information,
        "Waiting for the migration's lock for {Seconds:0} s so far. It is held by {Holders}.",
        EventName = "WaitingForMigration")]
    public static partial void WaitingForMigration(ILogger logger, double seconds, string holders);

    [LoggerMessage(4, LogLevel.Warning, "{Subject} is {Value}. {Effect} To mend it: {Remedy}.", EventName = "PromiseVoided")]
    public static partial void PromiseVoided(ILogger logger, string subject, string value, string effect, string remedy);

    [LoggerMessage(5, LogLevel.Warning, "The state of the database could not be checked: {Error}.", EventName = "ChecksFailed")]
    public static partial void ChecksFailed(ILogger logger, string error);

    // The one event with an exception: the check's own statements hold no crawled content.
    [LoggerMessage(6, LogLevel.Warning, "The health check failed.", EventName = "HealthCheckFailed")]
    public static partial void HealthCheckFailed(ILogger logger, Exception exception);

    [LoggerMessage(7, LogLevel.Error, "The database with the key {ServiceKey} could not be migrated: {Error}.", EventName = "MigrationFailed")]
    public static partial void MigrationFailed(ILogger logger, string serviceKey, string error);

    [LoggerMessage(
        8, LogLevel.Information, "Waiting for locks to {Purpose} for {Seconds:0.0} s so far, for an instant at a time.", EventName = "WaitingForLocks")]
    public static partial void WaitingForLocks(ILogger logger, string purpose, double seconds);

    [LoggerMessage(10, LogLevel.Warning, "Work on {Table} failed with {Error}. Retrying after {Seconds:0.0} s so far.", EventName = "Retrying")]
    public static partial void Retrying(ILogger logger, string table, string error, double seconds);

    [LoggerMessage(
        11, LogLevel.Warning, "Connection lost during COMMIT on {Table} ({Error}). Verified outcome: {Outcome}.", EventName = "CommitVerified")]
    public static partial void CommitVerified(ILogger logger, string table, string error, string outcome);

    [LoggerMessage(
        12,
        LogLevel.Error,
        "The outcome of an append of {Rows} rows to {Table} is unknown. Their ids are {FirstId} to {LastId}. Reason: {Reason}.",
        EventName = "AppendOutcomeUnknown")]
    public static partial void OutcomeUnknown(ILogger logger, string table, int rows, long firstId, long lastId, string reason);

    [LoggerMessage(
        20,
        LogLevel.Error,
        "{Events} events of {Crawls} crawls could not be stored: {Error}. Awaiting callers get the error. The other events are kept until they are taken.",
        EventName = "EventsNotStored")]
    public static partial void EventsNotStored(ILogger logger, int events, int crawls, string error);

    [LoggerMessage(21, LogLevel.Debug, "Flushed {Events} events in {Elapsed}.", EventName = "EventsFlushed")]
    public static partial void Flushed(ILogger logger, int events, TimeSpan elapsed);

    [LoggerMessage(
        22,
        LogLevel.Critical,
        "The writer's flush loop failed with {Error}. {Events} events are not stored. The writer accepts no more events.",
        EventName = "FlushLoopFailed")]
    public static partial void FlushLoopFailed(ILogger logger, int events, string error);

    [LoggerMessage(
        23, LogLevel.Information, "The writer stores events again, after retrying for {Seconds:0.0} s.", EventName = "StoringAgain")]
    public static partial void StoringAgain(ILogger logger, double seconds);

    [LoggerMessage(
        24, LogLevel.Information, "Storing {Events} events that an earlier writer left in the spool {Directory}.", EventName = "ReplayingSpool")]
    public static partial void ReplayingSpool(ILogger logger, int events, string directory);

    [LoggerMessage(
        25,
        LogLevel.Warning,
        "An earlier writer committed {Events} events of the spool without an answer. Verified outcome: {Outcome}.",
        EventName = "SpooledBatchVerified")]
    public static partial void SpooledBatchVerified(ILogger logger, int events, string outcome);

    [LoggerMessage(
        26,
        LogLevel.Warning,
        "{Events} events are not stored, and stay in the spool {Directory}. The next writer on the folder stores them.",
        EventName = "EventsLeftInSpool")]
    public static partial void EventsLeftInSpool(ILogger logger, int events, string directory);

    [LoggerMessage(
        30, LogLevel.Warning, "Listening failed with {Error}. Followers and workers poll until it is restored.", EventName = "ListeningFailed")]
    public static partial void ListeningFailed(ILogger logger, string error);

    [LoggerMessage(31, LogLevel.Debug, "Listening for notifications.", EventName = "Listening")]
    public static partial void Listening(ILogger logger);

    [LoggerMessage(32, LogLevel.Warning, "Notifying followers failed with {Error}. They read at their next poll.", EventName = "NotifyingFailed")]
    public static partial void NotifyingFailed(ILogger logger, string error);

    [LoggerMessage(
        33, LogLevel.Warning, "Not listening: it would take the pool's last connection. Followers and workers poll.", EventName = "NotListening")]
    public static partial void NotListening(ILogger logger);

    [LoggerMessage(
        34,
        LogLevel.Warning,
        "Passed over {Rows} rows of {Table} that this version cannot read. The first: {Reason}",
        EventName = "RowsPassedOver")]
    public static partial void RowsPassedOver(ILogger logger, long rows, string table, string reason);

    [LoggerMessage(40, LogLevel.Debug, "Claimed session {SessionId}, attempt {Attempt}.", EventName = "SessionClaimed")]
    public static partial void SessionClaimed(ILogger logger, Guid sessionId, int attempt);

    [LoggerMessage(
        41,
        LogLevel.Warning,
        "Rescued session {SessionId} from stale attempt {Attempt}. The session is {Status}.",
        EventName = "SessionRescued")]
    public static partial void SessionRescued(ILogger logger, Guid sessionId, int attempt, string status);

    [LoggerMessage(42, LogLevel.Debug, "Claimed run {RunId}, claim {Claim}, attempt {Attempt}.", EventName = "RunClaimed")]
    public static partial void RunClaimed(ILogger logger, Guid runId, int claim, int attempt);

    [LoggerMessage(43, LogLevel.Warning, "Failed stale run {RunId}: it had no event and no heartbeat.", EventName = "StaleRunFailed")]
    public static partial void StaleRunFailed(ILogger logger, Guid runId);

    [LoggerMessage(44, LogLevel.Information, "Run {RunId} is retried by run {RetryId}, attempt {Attempt}.", EventName = "RunRetried")]
    public static partial void RunRetried(ILogger logger, Guid runId, Guid retryId, int attempt);

    [LoggerMessage(50, LogLevel.Information, "Sweep: {Deleted} of {Expired} expired artifacts were deleted.", EventName = "ArtifactsSwept")]
    public static partial void Swept(ILogger logger, long expired, long deleted);

    [LoggerMessage(51, LogLevel.Information, "Purged {Rows} old rows of {Table}, and the rows below them.", EventName = "RowsPurged")]
    public static partial void Purged(ILogger logger, long rows, string table);

    [LoggerMessage(52, LogLevel.Warning, "The file of expired artifact {ArtifactId} was not deleted: {Reason}.", EventName = "FileNotDeleted")]
    public static partial void FileNotDeleted(ILogger logger, Guid artifactId, string reason);

    [LoggerMessage(53, LogLevel.Warning, "The janitor's {Job} failed with {Error}. The next round tries again.", EventName = "JanitorFailed")]
    public static partial void JanitorFailed(ILogger logger, string job, string error);

    [LoggerMessage(54, LogLevel.Information, "crawl_events is partitioned. New events get ids from {FirstId} on.", EventName = "EventsPartitioned")]
    public static partial void EventsPartitioned(ILogger logger, long firstId);

    [LoggerMessage(55, LogLevel.Information, "Made partition {Partition} ahead.", EventName = "PartitionMade")]
    public static partial void PartitionMade(ILogger logger, string partition);

    [LoggerMessage(56, LogLevel.Information, "Dropped partition {Partition}: all of its crawls were old.", EventName = "PartitionDropped")]
    public static partial void PartitionDropped(ILogger logger, string partition);

    [LoggerMessage(
        60, LogLevel.Warning, "Attempt {Attempt} at {ItemId} of {Table} failed with {Error}. The row has the error's text.", EventName = "ItemFailed")]
    public static partial void ItemFailed(ILogger logger, string table, Guid itemId, int attempt, string error);

    [LoggerMessage(61, LogLevel.Information, "Handed back {ItemId} of {Table}: the host stops.", EventName = "ItemReleased")]
    public static partial void ItemReleased(ILogger logger, string table, Guid itemId);

    [LoggerMessage(
        62, LogLevel.Warning, "Lost {ItemId} of {Table}: it was rescued, deleted, or ended by another. Its handler was cancelled.", EventName = "ClaimLost")]
    public static partial void ClaimLost(ILogger logger, string table, Guid itemId);

    [LoggerMessage(
        63, LogLevel.Error, "The end of {ItemId} of {Table} could not be stored: {Error}. It will be rescued when it is stale.", EventName = "ItemNotEnded")]
    public static partial void ItemNotEnded(ILogger logger, string table, Guid itemId, string error);

    [LoggerMessage(64, LogLevel.Warning, "A worker's {Work} on {Table} failed with {Error}. It goes on.", EventName = "WorkerFailed")]
    public static partial void WorkerFailed(ILogger logger, string table, string work, string error);
}

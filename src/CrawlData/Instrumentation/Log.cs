using Microsoft.Extensions.Logging;

namespace CrawlData.Diagnostics;

/// <summary>All that the library logs, each with an id of its own. An error is named by its SQLSTATE or type: what is said about it may quote what was crawled.</summary>
internal static partial class Log
{
    /// <summary>A logger that may be none, and that does not throw.</summary>
    public static ILogger Guarded(this ILogger? logger) => new GuardedLogger(logger);

    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Applied schema script {Script}.")]
    public static partial void ScriptApplied(ILogger logger, string script);

    [LoggerMessage(EventId = 2, Level = LogLevel.Information, Message = "Marked schema script {Script} as applied: the database holds what it makes.")]
    public static partial void ScriptAdopted(ILogger logger, string script);

    [LoggerMessage(EventId = 3, Level = LogLevel.Information, Message = "Another instance is migrating this database; waiting, {Seconds:0} s so far.")]
    public static partial void WaitingForMigration(ILogger logger, double seconds);

    [LoggerMessage(EventId = 10, Level = LogLevel.Warning, Message = "Work on {Table} failed with {Error} and is tried again, after {Seconds:0.0} s so far.")]
    public static partial void Retrying(ILogger logger, string table, string error, double seconds);

    [LoggerMessage(EventId = 11, Level = LogLevel.Warning, Message = "A COMMIT of rows of {Table} was cut off with {Error}; asked what became of it, the server says: {Outcome}.")]
    public static partial void CommitSettled(ILogger logger, string table, string error, string outcome);

    [LoggerMessage(EventId = 12, Level = LogLevel.Error, Message = "It is not known whether {Rows} rows of {Table} are stored, with ids from {FirstId} to {LastId}: {Reason}.")]
    public static partial void OutcomeUnknown(ILogger logger, string table, int rows, long firstId, long lastId, string reason);

    [LoggerMessage(EventId = 20, Level = LogLevel.Error, Message = "{Events} events of {Crawls} crawls could not be stored: {Error}. Who waits for them is told; the others are kept until they are taken.")]
    public static partial void EventsNotStored(ILogger logger, int events, int crawls, string error);

    [LoggerMessage(EventId = 21, Level = LogLevel.Debug, Message = "Flushed {Events} events in {Elapsed}.")]
    public static partial void Flushed(ILogger logger, int events, TimeSpan elapsed);

    [LoggerMessage(EventId = 30, Level = LogLevel.Warning, Message = "Listening for events failed with {Error}; those who follow read without it until it is back.")]
    public static partial void ListeningFailed(ILogger logger, string error);

    [LoggerMessage(EventId = 31, Level = LogLevel.Debug, Message = "Listening for events.")]
    public static partial void Listening(ILogger logger);

    [LoggerMessage(EventId = 32, Level = LogLevel.Warning, Message = "Notifying those who follow failed with {Error}; they read at their next poll.")]
    public static partial void NotifyingFailed(ILogger logger, string error);

    [LoggerMessage(EventId = 40, Level = LogLevel.Debug, Message = "Claimed session {SessionId}, attempt {Attempt}.")]
    public static partial void SessionClaimed(ILogger logger, Guid sessionId, int attempt);

    [LoggerMessage(EventId = 41, Level = LogLevel.Warning, Message = "Session {SessionId} was taken from attempt {Attempt}, whose log was silent, and is {Status}.")]
    public static partial void SessionReleased(ILogger logger, Guid sessionId, int attempt, string status);

    [LoggerMessage(EventId = 50, Level = LogLevel.Information, Message = "Swept: of {Expired} expired artifacts {Deleted} were deleted.")]
    public static partial void Swept(ILogger logger, long expired, long deleted);

    [LoggerMessage(EventId = 51, Level = LogLevel.Information, Message = "Deleted {Rows} old rows of {Table}, and what was below them.")]
    public static partial void Deleted(ILogger logger, long rows, string table);

    private sealed class GuardedLogger(ILogger? logger) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => logger?.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => logger?.IsEnabled(logLevel) ?? false;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            try
            {
                logger?.Log(logLevel, eventId, state, exception, formatter);
            }
            catch (Exception)
            {
                // A full disk beneath the application's log is not to make an append that is stored look like one that failed.
            }
        }
    }
}

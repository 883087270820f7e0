using CrawlData.Dashboard.Actions;
using CrawlData.Dashboard.Artifacts;
using CrawlData.Dashboard.Reads;
using CrawlData.Dashboard.Text;
using Npgsql;

namespace CrawlData.Dashboard.Screens;

/// <summary>What a request gets instead of its screen.</summary>
/// <param name="Status">The status code of the response.</param>
/// <param name="Title">What happened, in a few words.</param>
/// <param name="Detail">What to do about it, as sentences.</param>
internal sealed record Problem(int Status, string Title, string Detail)
{
    public static readonly Problem NotFound = new(404, "Not found", "There is no such row, or it was purged.");

    /// <summary>Returns the problem of an exception that a reader can do something about; null for others, which are the application's to handle.</summary>
    public static Problem? Of(Exception exception, TimeSpan limit) => exception switch
    {
        BadQueryException => new(400, "The address has a wrong parameter", exception.Message),
        BadFormException => new(400, "The form has a wrong field", exception.Message),
        InvalidValueException invalid => new(400, "The address has a wrong parameter", $"{invalid.Field} {invalid.Reason}."),
        ArtifactException artifact => new(artifact.Status, "The artifact cannot be shown", artifact.Message),
        TransitionRefusedException refused => new(409, "Its state does not allow that", refused.Message),
        RowNotFoundException => NotFound,
        ActionUnknownException => new(
            503, "It took too long", $"The database did not answer within {Show.Limit(limit)}. It may have been done: look before you repeat it."),
        DashboardBusyException => new(503, "The dashboard is busy", $"{exception.Message} Try again."),
        TimeoutException or PostgresException { SqlState: PostgresErrorCodes.QueryCanceled } => new(
            503,
            "It took too long",
            $"The database did not answer within {Show.Limit(limit)}, so the query was cancelled. Narrow it: fewer rows, a range of time, or no type."),
        UnreadableRowException => new(500, "This version cannot read the row", exception.Message),
        PostgresException { SqlState: PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedObject } => new(
            503, "The database has no tables of CrawlData", "Run crawldata migrate, or start the application with MigrateAtStartup."),
        PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } denied => new(
            503, "The role may not read a table", $"{denied.MessageText}. Grant SELECT on the tables to the role of the application."),
        PostgresException { SqlState: PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.TooManyConnections }
            or NpgsqlException { InnerException: not null, IsTransient: true } => new(
            503, "The database cannot be reached", "It may be starting or stopping. Try again."),
        _ => null,
    };
}

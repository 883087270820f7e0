using Npgsql;

namespace CrawlData;

/// <summary>Describes errors of the server without the values that their texts may quote.</summary>
/// <remarks>The server's log has the full text of each error.</remarks>
public static class ServerErrors
{
    /// <summary>Describes an error in one text that is safe to log.</summary>
    /// <remarks>
    /// <para>The text of a <see cref="PostgresException"/> is its SQLSTATE and its message: <c>42P01: relation "crawl_runs" does not exist</c>. Its detail,
    /// hint, context and statement are left out.</para>
    /// <para>The message itself is replaced with a fixed text where it may quote a value. These are errors of the SQLSTATE classes 22, 38, 39 and P0, and
    /// errors within a function. An error while connecting is about a setting of the connection string, such as <c>Search Path</c>, and keeps its
    /// text.</para>
    /// </remarks>
    /// <param name="exception">The error. Its inner exceptions are not looked at.</param>
    /// <returns>The SQLSTATE and text of a <see cref="PostgresException"/>; the message of any other exception, unchanged.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public static string Describe(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return exception is PostgresException server ? $"{server.SqlState}: {TextOf(server)}" : exception.Message;
    }

    /// <summary>Whether the server refused a row for what it holds, or a function of the application's raised an exception for it.</summary>
    /// <remarks>The row is refused again when it is sent again. The errors are those of the SQLSTATE classes 22, 23, 2F, 38, 39, 44, 54 and P0: data
    /// exceptions, violated constraints and views, exceeded limits, and exceptions of functions and triggers.</remarks>
    /// <param name="exception">The error. Its inner exceptions are not looked at.</param>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public static bool IsRefusal(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return exception is PostgresException { SqlState: var state } && state[..2] is "22" or "23" or "2F" or "38" or "39" or "44" or "54" or "P0"
            && !IsMissingPartition(exception);
    }

    /// <summary>Whether the server has no partition of <c>crawl_events</c> for the next ids, so that no event can be appended. The events themselves are
    /// right: appends are retried, and succeed once <c>crawldata partition</c> or the janitor has made a partition.</summary>
    /// <param name="exception">The error, whose SQLSTATE is 23514. Its inner exceptions are not looked at.</param>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public static bool IsMissingPartition(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);

        // The routine is the field to tell a missing partition by: a check of the application's has its SQLSTATE. The constraint is that of a conversion.
        return exception is PostgresException { SqlState: PostgresErrorCodes.CheckViolation, TableName: "crawl_events" } server
            && (server.Routine == "ExecFindPartition" || server.ConstraintName == "crawl_events_partitioning");
    }

    /// <summary>Copies an error without its detail, its context and its hint. The detail has the row, and the context may have the statement's
    /// parameters.</summary>
    internal static PostgresException WithoutValues(PostgresException error) => new(
        TextOf(error),
        error.Severity,
        error.InvariantSeverity,
        error.SqlState,
        position: error.Position,
        schemaName: error.SchemaName,
        tableName: error.TableName,
        columnName: error.ColumnName,
        dataTypeName: error.DataTypeName,
        constraintName: error.ConstraintName,
        file: error.File,
        line: error.Line,
        routine: error.Routine);

    private static string TextOf(PostgresException error) =>
        QuotesValues(error) ? "the server's text is left out, because it may quote a value" : error.MessageText;

    // A data exception quotes its value, and an error within a function quotes the function's statement. RAISE may quote anything, under any SQLSTATE.
    // A fatal error of these classes comes while connecting, when no row has been sent: it is about a setting of the connection string.
    private static bool QuotesValues(PostgresException error) => error.InvariantSeverity != "FATAL"
        && (error.SqlState[..2] is "22" or "38" or "39" or "P0" || error.InternalQuery is not null || error.Routine == "exec_stmt_raise");
}

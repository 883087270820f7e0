using Npgsql;

namespace CrawlData;

/// <summary>What the library's own exceptions may repeat of a server's error: nothing in which a row, a parameter or a payload is quoted. All of it is in the
/// server's log.</summary>
internal static class ServerErrors
{
    /// <summary>The error's SQLSTATE and text, or another exception's message.</summary>
    public static string Describe(Exception exception) => exception is PostgresException server ? $"{server.SqlState}: {TextOf(server)}" : exception.Message;

    /// <summary>The error without its detail, which has the row, its context, which may have the statement's parameters, and its hint.</summary>
    public static PostgresException WithoutValues(PostgresException error) => new(
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
        QuotesValues(error) ? "the server's text is left out, since it may quote a value" : error.MessageText;

    // Data exceptions quote the value that they are about, what fails within a function its own statement, and a RAISE whatever it likes, under any SQLSTATE.
    private static bool QuotesValues(PostgresException error) =>
        error.SqlState[..2] is "22" or "38" or "39" or "P0" || error.InternalQuery is not null || error.Routine == "exec_stmt_raise";
}

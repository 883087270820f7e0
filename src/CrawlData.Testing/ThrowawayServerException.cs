namespace CrawlData.Testing;

/// <summary>There is no PostgreSQL to be had for a <see cref="ThrowawayDatabase"/>, or the one that an environment variable orders cannot be had. The message
/// says what went wrong and lists the ways to provide one; it holds no password.</summary>
public sealed class ThrowawayServerException : CrawlDataException
{
    private const string Ways = $"""
        A throwaway database needs a PostgreSQL server. Provide one of these:
          1. {ServerSearch.ConnectionVariable}: a connection string (Host=…;Username=…;Password=…) of a role with CREATEDB.
             Only databases are made there, and dropped again.
          2. {ServerSearch.ImageVariable}: a PostgreSQL image for the container engine, or just a running engine that can pull {ServerSearch.DefaultImage}.
          3. {ServerSearch.BinariesVariable}: a folder with initdb, pg_ctl and postgres.
          4. PostgreSQL 15 or newer, server included, installed in a usual place or on the PATH
             (Debian: apt install postgresql; Red Hat: dnf install postgresql-server; macOS: brew install postgresql).
        The variables are tried in this order, and a variable that is set is an order: nothing else is tried then.
        """;

    internal ThrowawayServerException(string problem, Exception? innerException = null)
        : base($"{problem}{Environment.NewLine}{Ways}", innerException)
    {
    }
}

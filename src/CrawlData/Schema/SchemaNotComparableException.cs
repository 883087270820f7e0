using Npgsql;

namespace CrawlData.Schema;

/// <summary>The schema cannot be compared with what the scripts make, since that is found by making it, in temporary tables: the server is a standby or the
/// session is read-only, or the role has no TEMPORARY on the database or no SELECT on the journal. Nothing was changed; the server's error is the inner
/// exception.</summary>
public sealed class SchemaNotComparableException : MigrationException
{
    internal SchemaNotComparableException(PostgresException cause)
        : base(
            null,
            cause.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction
                ? "The schema cannot be compared on a standby or in a read-only session, since temporary tables are made: ask the primary."
                : $"The schema cannot be compared with this role's rights: it needs TEMPORARY on the database and SELECT on crawldata_journal. "
                    + ServerErrors.Describe(cause),
            cause)
    {
    }
}

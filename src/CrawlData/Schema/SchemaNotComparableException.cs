using Npgsql;

namespace CrawlData.Schema;

/// <summary>Thrown when the schema cannot be compared with what the scripts make. Nothing was changed. The inner exception is the server's error.</summary>
/// <remarks>A comparison runs the scripts in temporary tables. So it fails on a standby, in a read-only session, and for a role without TEMPORARY on the
/// database or SELECT on the journal.</remarks>
public sealed class SchemaNotComparableException : MigrationException
{
    internal SchemaNotComparableException(PostgresException cause)
        : base(
            null,
            cause.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction
                ? "The schema cannot be compared on a standby or in a read-only session, because the comparison makes temporary tables. Use the primary."
                : $"The schema cannot be compared with this role's rights. The role needs TEMPORARY on the database and SELECT on crawldata_journal. "
                    + ServerErrors.Describe(cause),
            cause)
    {
    }
}

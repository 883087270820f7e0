using Npgsql;

namespace CrawlData.Schema;

/// <summary>The schema could not be brought up to date: a script failed, and nothing of it was kept; those before it in the same call stay applied. Or the
/// database or the data source cannot be migrated at all.</summary>
public class MigrationException : CrawlDataException
{
    internal MigrationException(string? script, string message, Exception? innerException = null) : base(message, innerException) => Script = script;

    /// <summary>The name of the script that it is about, such as <c>001_crawl_schema.sql</c>; null when it is about none.</summary>
    public string? Script { get; }
}

/// <summary>A script was edited after it had run in this database: what the library holds is not what the database has. Released scripts never change; a
/// change is a script of its own.</summary>
public sealed class ScriptChangedException : MigrationException
{
    internal ScriptChangedException(string script)
        : base(script, $"Script {script} was edited after it had run in this database. Put it back as it was, and make the change in a script of its own.")
    {
    }
}

/// <summary>A database that was made by hand cannot be adopted: it has some of a script's objects, and they are not as the script makes them. Nothing was
/// changed.</summary>
public sealed class SchemaMismatchException : MigrationException
{
    internal SchemaMismatchException(string script, IReadOnlyList<SchemaDifference> differences)
        : base(script, $"The database is not as {script} makes it: {string.Join("; ", differences.Take(10))}{(differences.Count > 10 ? "; and more" : "")}.") =>
        Differences = differences;

    /// <summary>Each difference.</summary>
    public IReadOnlyList<SchemaDifference> Differences { get; }
}

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

/// <summary>Another instance was still migrating when <see cref="SchemaMigratorOptions.LockTimeout"/> had passed. Nothing was changed.</summary>
public sealed class MigrationLockTimeoutException : MigrationException
{
    internal MigrationLockTimeoutException(TimeSpan waited) : base(null, $"Another instance was still migrating this database after {waited.TotalSeconds:0} s.")
    {
    }
}

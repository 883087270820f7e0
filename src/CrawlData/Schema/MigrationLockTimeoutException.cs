namespace CrawlData.Schema;

/// <summary>Another instance was still migrating when <see cref="SchemaMigratorOptions.LockTimeout"/> had passed. Nothing was changed.</summary>
public sealed class MigrationLockTimeoutException : MigrationException
{
    internal MigrationLockTimeoutException(TimeSpan waited) : base(null, $"Another instance was still migrating this database after {waited.TotalSeconds:0} s.")
    {
    }
}

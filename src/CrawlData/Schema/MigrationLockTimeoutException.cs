namespace CrawlData.Schema;

/// <summary>Thrown when another instance was still migrating after <see cref="SchemaMigratorOptions.LockTimeout"/>. Nothing was changed.</summary>
public sealed class MigrationLockTimeoutException : MigrationException
{
    internal MigrationLockTimeoutException(TimeSpan waited) : base(null, $"Another instance was still migrating this database after {waited.TotalSeconds:0} s.")
    {
    }
}

namespace CrawlData.Schema;

/// <summary>Thrown when another session still held the migration's lock after <see cref="SchemaMigratorOptions.LockTimeout"/>. Nothing was changed. The message
/// names the session's process id and role, and says how to go on.</summary>
public sealed class MigrationLockTimeoutException : MigrationException
{
    internal MigrationLockTimeoutException(TimeSpan waited, string holders, IReadOnlyList<int> processIds)
        : base(null, $"The migration's lock was still held after {waited.TotalSeconds:0} s, by {holders}. {Remedy(processIds)}") => ProcessIds = processIds;

    /// <summary>Gets the process ids of the sessions that held the lock. It is empty when the lock was released just then, and when a prepared
    /// transaction held it.</summary>
    public IReadOnlyList<int> ProcessIds { get; }

    private static string Remedy(IReadOnlyList<int> processIds) => processIds.Count == 0
        ? "Try again."
        : "If that is an instance that migrates, wait longer: SchemaMigratorOptions.LockTimeout. If not, end its session as its role, or as a member of "
            + $"pg_signal_backend: {string.Join(" ", processIds.Select(id => $"select pg_catalog.pg_terminate_backend({id});"))}";
}

namespace CrawlData.Storage;

/// <summary>What the library knows of Citus, an extension that spreads tables over several servers. Its coordinator sends a statement that names a distributed
/// table to the servers that have its rows. So functions of the server, such as those on its transactions, stand in statements of their own.</summary>
internal static class Citus
{
    /// <summary>An expression: whether the database has the extension. The workers have it too.</summary>
    public const string IsInstalled = "(pg_catalog.to_regclass('pg_catalog.pg_dist_partition') is not null)";

    internal const string IsInstalledSql = $"select {IsInstalled}";
}

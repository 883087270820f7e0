namespace CrawlData.Citus.Tests.Clusters;

/// <summary>How the tables are placed on a cluster.</summary>
public enum CitusLayout
{
    /// <summary>All tables are in a schema of schema-based sharding.</summary>
    TenantSchema,
}

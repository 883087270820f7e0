namespace CrawlData.Citus.Tests.Clusters;

/// <summary>How the tables are placed on a cluster.</summary>
public enum CitusLayout
{
    /// <summary>Runs and events are distributed by crawl. The tables of audits are on the coordinator.</summary>
    DistributedCrawls,

    /// <summary>All tables are in a schema of schema-based sharding.</summary>
    TenantSchema,
}

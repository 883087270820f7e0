namespace CrawlData.Citus.Tests.Clusters;

/// <summary>The ways in which the tables are placed on a cluster.</summary>
public enum CitusLayout
{
    /// <summary>All tables are on the coordinator.</summary>
    Local,

    /// <summary>All tables are in a schema of schema-based sharding.</summary>
    TenantSchema,

    /// <summary>Runs and events are distributed by crawl. The tables of audits are local.</summary>
    DistributedCrawls,
}

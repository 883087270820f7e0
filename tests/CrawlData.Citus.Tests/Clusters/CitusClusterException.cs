namespace CrawlData.Citus.Tests.Clusters;

/// <summary>Thrown when there is no cluster that the tests can use. The message says what is missing.</summary>
internal sealed class CitusClusterException(string message, Exception? innerException = null) : Exception(message, innerException);

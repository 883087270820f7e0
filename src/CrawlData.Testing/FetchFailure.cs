namespace CrawlData.Testing;

/// <summary>Why server programs were not fetched.</summary>
internal enum FetchFailure
{
    /// <summary>Fetching is turned off.</summary>
    Off,

    /// <summary>The repository does not answer, or refuses.</summary>
    Unreachable,

    /// <summary>The repository answers, and does not have them.</summary>
    Missing,

    /// <summary>What arrived is not whole, has another checksum, or does not run. Nothing of it is kept.</summary>
    Broken,
}

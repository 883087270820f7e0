namespace CrawlData.Storage;

/// <summary>Lists the labels of an enum.</summary>
internal interface ILabels
{
    /// <summary>Gets the labels, in the enum's order.</summary>
    IEnumerable<string> Labels { get; }
}

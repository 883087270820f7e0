namespace CrawlData.Dashboard.Screens;

/// <summary>What a screen shows. Its page renders it, and the API returns its <see cref="Twin"/>.</summary>
internal interface IScreen
{
    /// <summary>Gets the title of the page.</summary>
    string Title { get; }

    /// <summary>Gets the same as an object for JSON.</summary>
    object Twin { get; }
}

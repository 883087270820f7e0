namespace CrawlData.Browser.Tests;

/// <summary>A page of the <see cref="Showcase"/>.</summary>
/// <param name="Address">Its address, relative to the dashboard.</param>
/// <param name="Status">The status that it answers with.</param>
/// <param name="IsForOperators">Whether it is on the operators' dashboard: see <see cref="BrowserTest.StartOperatorsAsync"/>.</param>
internal sealed record ShownPage(string Address, int Status = 200, bool IsForOperators = false);

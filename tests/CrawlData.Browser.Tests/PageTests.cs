namespace CrawlData.Browser.Tests;

/// <summary>Each page, in a wide window and in one of a phone, light and dark.</summary>
public sealed class PageTests : BrowserTest
{
    [Test]
    public Task No_rule_of_axe_is_violated_and_a_phone_does_not_scroll_sideways([ValueSource(typeof(Showcase), nameof(Showcase.Names))] string name) =>
        BrowseAsync(name, AssertSeemlyAsync);
}

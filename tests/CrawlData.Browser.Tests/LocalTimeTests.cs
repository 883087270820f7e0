using System.Globalization;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>Times are in UTC until a reader chooses the own zone, and the browser remembers the choice.</summary>
public sealed class LocalTimeTests : BrowserTest
{
    private const string Zone = "America/New_York";

    [Test]
    public Task Times_switch_to_the_readers_zone_and_back() => BrowseAsync(
        async page =>
        {
            await OpenAsync(page, "runs");
            await AssertTimesAsync(page, TimeZoneInfo.Utc);
            await Button(page, "Show local times").ClickAsync();
            await Expect(page.Locator("footer")).ToContainTextAsync($"Times are in {Zone}.");
            await AssertTimesAsync(page, TimeZoneInfo.FindSystemTimeZoneById(Zone));

            await OpenAsync(page, "session");
            await AssertTimesAsync(page, TimeZoneInfo.FindSystemTimeZoneById(Zone));
            await Button(page, "Show UTC").ClickAsync();
            await AssertTimesAsync(page, TimeZoneInfo.Utc);
            await OpenAsync(page, "runs");
            await AssertTimesAsync(page, TimeZoneInfo.Utc);
        },
        new BrowserNewContextOptions { TimezoneId = Zone });

    private static async Task AssertTimesAsync(IPage page, TimeZoneInfo zone)
    {
        var times = await page.EvaluateAsync<string[][]>("() => [...document.querySelectorAll('time')].map(time => [time.dateTime, time.textContent])");

        Assert.That(times, Has.Length.GreaterThan(10));
        foreach (var time in times)
        {
            var local = TimeZoneInfo.ConvertTime(DateTimeOffset.Parse(time[0], CultureInfo.InvariantCulture), zone);
            Assert.That(time[1], Is.EqualTo(local.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)), zone.Id);
        }
    }
}

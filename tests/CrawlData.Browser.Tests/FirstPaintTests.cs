using CrawlData.Dashboard.Tests;
using Microsoft.AspNetCore.Builder;

namespace CrawlData.Browser.Tests;

/// <summary>What a browser has to load before it shows a page, as it comes over the network of an application that compresses its answers.</summary>
public sealed class FirstPaintTests : BrowserTest
{
    private const int MaxBytes = 30 * 1024;
    private const int MaxAssetBytes = 60 * 1024;

    private const string Timings =
        """
        () => performance.getEntries().filter(entry => entry.entryType === "navigation" || entry.entryType === "resource")
            .map(entry => ({
                name: entry.name, size: entry.encodedBodySize, plain: entry.decodedBodySize,
                isBlocking: entry.entryType === "navigation" || entry.renderBlockingStatus === "blocking",
            }))
        """;

    private DashboardHost host = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => host = await StartOperatorsAsync(
        services => services.AddResponseCompression(), application => application.UseResponseCompression());

    [OneTimeTearDown]
    public async Task StopAsync() => await host.DisposeAsync();

    [Test]
    public async Task A_page_waits_for_two_requests_of_30_kilobytes_at_most([ValueSource(typeof(Showcase), nameof(Showcase.Names))] string name)
    {
        await BrowseAsync(
            async page =>
            {
                await OpenAsync(page, name);
                var entries = await page.EvaluateAsync<Entry[]>(Timings);
                var first = entries.Where(entry => entry.IsBlocking).ToArray();

                TestContext.Out.WriteLine($"{first.Sum(entry => entry.Size)} bytes of {first.Sum(entry => entry.Plain)}, assets "
                    + $"{entries.Where(IsAsset).Sum(entry => entry.Size)}: {name}");
                Assert.That(first, Has.Length.LessThanOrEqualTo(2));
                Assert.That(first.Select(entry => entry.Size), Has.All.Positive);
                Assert.That(first.Sum(entry => entry.Size), Is.LessThanOrEqualTo(MaxBytes));
                Assert.That(entries.Where(IsAsset).Sum(entry => entry.Size), Is.LessThanOrEqualTo(MaxAssetBytes));
            },
            root: host.Client.BaseAddress);
    }

    private static bool IsAsset(Entry entry) => entry.Name.Contains("/assets/", StringComparison.Ordinal);

    private sealed class Entry
    {
        public string Name { get; set; } = "";

        public int Size { get; set; }

        public int Plain { get; set; }

        public bool IsBlocking { get; set; }
    }
}

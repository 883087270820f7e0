using CrawlData.Tests;
using Microsoft.Playwright;

namespace CrawlData.Browser.Tests;

/// <summary>Starts the browser that all fixtures share. Ends the run with one message where there is no browser, no nginx or no server.</summary>
[SetUpFixture]
public sealed class BrowserSetUp : ThrowawayServerSetUp
{
    private static readonly string[] Programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

    // Only there to end a wait for what never comes.
    internal const float LongestMilliseconds = 60_000;

    private static IPlaywright? playwright;

    internal static IBrowser Browser { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task StartBrowserAsync()
    {
        if (Array.Find(Programs, File.Exists) is not { } program)
        {
            EndRun("chromium is not installed: apt-get install chromium");
            return;
        }

        // Playwright's package holds its driver for each platform, and the browser is the system's: nothing is downloaded. Playwright starts it without
        // Chromium's own sandbox, which a root user and most containers cannot have. It opens pages of this suite only.
        Assertions.SetDefaultExpectTimeout(LongestMilliseconds);
        playwright = await Playwright.CreateAsync();
        Browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = program,

            // Names that lead to this machine, beside localhost.
            Args = ["--host-resolver-rules=MAP *.test 127.0.0.1"],
        });
    }

    [OneTimeTearDown]
    public async Task StopBrowserAsync()
    {
        if (Browser is not null)
        {
            await Browser.DisposeAsync();
        }

        playwright?.Dispose();
    }
}

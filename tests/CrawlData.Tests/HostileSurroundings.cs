using System.Runtime.CompilerServices;

namespace CrawlData.Tests;

/// <summary>The whole suite runs where local time is not UTC, neither here nor on the server, and each at another odd offset.</summary>
internal static class HostileSurroundings
{
    public const string ClientTimeZone = "America/St_Johns";
    public const string ServerTimeZone = "Pacific/Chatham";

    [ModuleInitializer]
    internal static void SetClientTimeZone()
    {
        Environment.SetEnvironmentVariable("TZ", ClientTimeZone);
        TimeZoneInfo.ClearCachedData();
    }
}

using System.Runtime.CompilerServices;

namespace CrawlData.Tests;

/// <summary>The time zones of the whole suite: the client's and the server's differ, and neither is UTC or a whole hour from it.</summary>
internal static class NonUtcTimeZones
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

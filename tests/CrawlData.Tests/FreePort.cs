using CrawlData.Testing;

namespace CrawlData.Tests;

/// <summary>Finds a TCP port of the loopback address that is free now.</summary>
internal static class FreePort
{
    public static int Find() => LocalServer.FreePort();
}
